import { expect, test } from "vitest";
import { setValue } from "@/document/commands";
import { COALESCE_MS, LIMIT } from "@/document/history";
import { createDocument } from "@/document/store";
import { pipeline } from "../fixture";

function typing(pauses: readonly number[]) {
  let clock = 0;
  const store = createDocument(pipeline(), undefined, () => clock);
  pauses.forEach((pause, index) => {
    clock += pause;
    store.apply(setValue("2", "text", `a cat ${"!".repeat(index + 1)}`));
  });
  return store;
}

test("typing without a pause is one step", () => {
  const store = typing([0, 100, 100, COALESCE_MS]);
  store.undo();
  expect(store.workflow()).toEqual(pipeline());
});

test("a longer pause begins a new step", () => {
  const store = typing([0, COALESCE_MS + 1]);
  store.undo();
  expect(store.workflow().nodes["2"]?.inputs.text).toBe("a cat !");
});

test("typing into another field begins a new step", () => {
  const store = typing([0]);
  store.apply(setValue("3", "steps", 30));
  store.undo();
  expect(store.workflow().nodes["2"]?.inputs.text).toBe("a cat !");
});

test("a drag is one step however long it pauses", () => {
  let clock = 0;
  const store = createDocument(pipeline(), undefined, () => clock);
  for (const steps of [21, 22, 23]) {
    clock += 10_000;
    store.apply(setValue("3", "steps", steps, "scrub:1"));
  }
  clock += 10;
  store.apply(setValue("3", "steps", 24, "scrub:2"));
  store.undo();
  expect(store.workflow().nodes["3"]?.inputs.steps).toBe(23);
  store.undo();
  expect(store.workflow().nodes["3"]?.inputs.steps).toBe(20);
});

test("a long text typed in one go is remembered once, not once per letter", () => {
  const store = typing(Array.from({ length: 500 }, () => 10));
  const [entry] = store.state.getState().history.past;
  expect(entry?.patches).toHaveLength(1);
  expect(entry?.inverse).toHaveLength(1);
});

test("a new change forgets what was undone", () => {
  const store = typing([0]);
  store.undo();
  store.apply(setValue("3", "steps", 30));
  expect(store.redo()).toBeUndefined();
});

test("the oldest steps beyond the limit are forgotten", () => {
  const store = typing(Array.from({ length: LIMIT + 5 }, () => COALESCE_MS + 1));
  expect(store.state.getState().history.past).toHaveLength(LIMIT);
});
