import { expect, test } from "vitest";
import { setMeta, setValue } from "@/document/commands";
import { createDocument } from "@/document/store";
import type { Json, SeedControl } from "@/document/types";
import { drawSeeds } from "@/runtime/seeds";
import { pipeline, SCHEMA } from "../fixture";

/** The seed of the sampler after the seeds were drawn for a run. */
function drawn(seed: Json, control: SeedControl): unknown {
  const store = createDocument(pipeline());
  store.apply(setValue("3", "seed", seed));
  store.apply(setMeta("3", "", { seed_control: control }));
  const command = drawSeeds(store.workflow(), SCHEMA, () => 42);
  if (command) {
    store.note(command);
  }
  return store.workflow().nodes["3"]?.inputs.seed;
}

test("a kept seed stays, a random one is drawn, and the next one follows", () => {
  expect(drawn(7, "fixed")).toBe(7);
  expect(drawn(7, "randomize")).toBe(42);
  expect(drawn(7, "increment")).toBe(8);
});

test("the next seed is exact beyond 2^53, and after the largest comes 0", () => {
  expect(drawn("18446744073709551613", "increment")).toBe("18446744073709551614");
  expect(drawn(Number.MAX_SAFE_INTEGER, "increment")).toBe("9007199254740992");
  expect(drawn("18446744073709551615", "increment")).toBe(0);
});
