import { expect, test } from "vitest";
import type { InputSpec } from "@/document/schema";
import { inputOf } from "@/document/schema";
import { stepped, typed, written } from "@/widgets/scrub";
import { SCHEMA } from "../fixture";

const input = (name: string): InputSpec => {
  const found = inputOf(SCHEMA.nodes.Sampler, name);
  if (!found) {
    throw new Error(name);
  }
  return found;
};
const cfg: InputSpec = {
  ...input("steps"),
  type: "FLOAT",
  min: 0,
  max: 30,
  step: 0.1,
  round: 0.01,
};

test("steps stay within the bounds", () => {
  expect(stepped(input("steps"), 99, 5)).toBe(100);
  expect(stepped(input("steps"), 2, -5)).toBe(1);
});

test("decimal steps do not pile up rounding errors", () => {
  let value = stepped(cfg, 0, 1);
  for (let i = 1; i < 30; i += 1) {
    value = stepped(cfg, value, 1);
  }
  expect(value).toBe(3);
});

test("a seed beyond 2^53 is stepped exactly", () => {
  expect(stepped(input("seed"), "18446744073709551610", 2)).toBe("18446744073709551612");
  expect(stepped(input("seed"), "9007199254740992", -1)).toBe(9007199254740991);
});

test("typed numbers are bounded, and words are not numbers", () => {
  expect(typed(input("steps"), "500")).toBe(100);
  expect(typed(cfg, "7,5")).toBe(7.5);
  expect(typed(cfg, "much")).toBeUndefined();
});

test("a decimal number shows that it is one", () => {
  expect(written(cfg, 8)).toBe("8.0");
  expect(written(cfg, 7.25)).toBe("7.25");
  expect(written(input("steps"), 20)).toBe("20");
});
