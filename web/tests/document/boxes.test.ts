import fc from "fast-check";
import { expect, test } from "vitest";
import { aligned, around, type Box, distributed, type Edge } from "@/document/boxes";
import { snap } from "@/document/snap";

const box: fc.Arbitrary<Box> = fc.record({
  x: fc.integer({ min: -500, max: 500 }),
  y: fc.integer({ min: -500, max: 500 }),
  width: fc.integer({ min: 1, max: 300 }),
  height: fc.integer({ min: 1, max: 300 }),
});
const boxes = fc
  .array(box, { minLength: 2, maxLength: 8 })
  .map((list) => new Map(list.map((one, index) => [String(index), one])));

const shared: Record<Edge, (box: Box) => number> = {
  left: ({ x }) => x,
  centre: ({ x, width }) => x + width / 2,
  right: ({ x, width }) => x + width,
  top: ({ y }) => y,
  middle: ({ y, height }) => y + height / 2,
  bottom: ({ y, height }) => y + height,
};

test("aligned boxes share the edge, and move in one direction only", () => {
  fc.assert(
    fc.property(boxes, fc.constantFrom(...(Object.keys(shared) as Edge[])), (before, edge) => {
      const after = [...aligned(before, edge)].map(([key, [x, y]]) => {
        const old = before.get(key) as Box;
        expect(["left", "centre", "right"].includes(edge) ? y === old.y : x === old.x).toBe(true);
        return shared[edge]({ ...old, x, y });
      });
      expect(Math.max(...after) - Math.min(...after)).toBeLessThanOrEqual(1);
    }),
  );
});

test("distributed boxes have equal gaps and fill what they filled before", () => {
  fc.assert(
    fc.property(boxes, (before) => {
      const whole = around(before.values()) as Box;
      const after = [...distributed(before, "across")].map(([key, [x]]) => {
        return { start: x, end: x + (before.get(key) as Box).width };
      });
      const gaps = after.slice(1).map(({ start }, index) => start - (after[index]?.end ?? 0));
      expect(after[0]?.start).toBe(whole.x);
      expect(Math.abs((after.at(-1)?.end ?? 0) - whole.x - whole.width)).toBeLessThanOrEqual(1);
      expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    }),
  );
});

test("three boxes of different widths get the same gap", () => {
  const row = new Map([
    ["a", { x: 0, y: 0, width: 100, height: 10 }],
    ["b", { x: 110, y: 50, width: 20, height: 10 }],
    ["c", { x: 300, y: 0, width: 100, height: 10 }],
  ]);
  expect(Object.fromEntries(distributed(row, "across"))).toEqual({
    a: [0, 0],
    b: [190, 50],
    c: [300, 0],
  });
});

test("a box snaps to the nearest edge within reach, and a line shows which", () => {
  const other = { x: 100, y: 0, width: 50, height: 50 };
  const { dx, dy, guides } = snap({ x: 104, y: 200, width: 80, height: 40 }, [other], 6);
  expect([dx, dy]).toEqual([-4, 0]);
  expect(guides).toEqual([{ axis: "x", at: 100, from: 0, to: 240 }]);
});

test("a box beyond reach stays where it is", () => {
  const other = { x: 100, y: 0, width: 50, height: 50 };
  expect(snap({ x: 300, y: 300, width: 80, height: 40 }, [other], 6)).toEqual({
    dx: 0,
    dy: 0,
    guides: [],
  });
});

test("snapping never moves further than it may", () => {
  fc.assert(
    fc.property(box, fc.array(box), fc.integer({ min: 1, max: 20 }), (moving, others, reach) => {
      const { dx, dy } = snap(moving, others, reach);
      expect(Math.max(Math.abs(dx), Math.abs(dy))).toBeLessThanOrEqual(reach);
    }),
  );
});
