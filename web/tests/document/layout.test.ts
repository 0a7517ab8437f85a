import { expect, test } from "vitest";
import { layout } from "@/document/layout";
import { isLink } from "@/document/types";
import { pipeline, record } from "../fixture";

const SIZE = { width: 200, height: 100 };

test("every wire leads to the right, and no two nodes overlap", () => {
  const workflow = pipeline();
  const places = layout(workflow, () => SIZE);
  for (const [id, node] of Object.entries(workflow.nodes)) {
    for (const [source] of Object.values(node.inputs).filter(isLink)) {
      expect(places[source]?.[0]).toBeLessThan((places[id]?.[0] ?? 0) - SIZE.width);
    }
  }
  const boxes = Object.values(places);
  for (const [index, [x, y]] of boxes.entries()) {
    for (const [otherX, otherY] of boxes.slice(index + 1)) {
      expect(Math.abs(x - otherX) >= SIZE.width || Math.abs(y - otherY) >= SIZE.height).toBe(true);
    }
  }
});

test("a loop is laid out all the same", () => {
  const looped = {
    ...pipeline(),
    nodes: { a: record("X", { i: ["b", 0] }), b: record("X", { i: ["a", 0] }) },
  };
  expect(Object.keys(layout(looped, () => SIZE)).sort()).toEqual(["a", "b"]);
});

test("a chain of five thousand nodes is laid out", () => {
  const nodes = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [
      `${i}`,
      record("X", i > 0 ? { i: [`${i - 1}`, 0] } : {}),
    ]),
  );
  const places = layout({ ...pipeline(), nodes }, () => SIZE);
  expect(places["4999"]?.[0]).toBe(4999 * 272);
});
