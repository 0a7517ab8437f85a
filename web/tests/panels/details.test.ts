import { expect, test } from "vitest";
import { valuesOf } from "@/panels/Details";
import { pipeline, SCHEMA } from "../fixture";

test("the values of each node are told by their titles, wires are not", () => {
  const told = valuesOf(pipeline(), SCHEMA);
  expect(told.map(({ title }) => title)).toEqual([
    "Load checkpoint",
    "Encode prompt",
    "Sample",
    "Save image",
  ]);
  expect(told[2]?.values).toEqual([
    ["Seed", "7"],
    ["Steps", "20"],
  ]);
});
