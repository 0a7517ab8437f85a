import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyMask, feathered, fromPixels, inverted, stroke, toPixels } from "@/mask/mask";

test("a stroke covers a capsule and nothing else", () => {
  const mask = emptyMask(40, 20);
  stroke(mask, [10, 10], [30, 10], 4, false);
  const at = (x: number, y: number) => mask.values[y * 40 + x];
  expect([at(10, 10), at(20, 12), at(30, 10)]).toEqual([255, 255, 255]);
  expect([at(20, 16), at(4, 10), at(36, 10), at(0, 0)]).toEqual([0, 0, 0, 0]);
});

test("erasing along the same line leaves nothing", () => {
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.nat(30),
      fc.nat(30),
      fc.nat(30),
      fc.integer({ min: 1, max: 12 }),
      (x, y, u, v, r) => {
        const mask = emptyMask(31, 31);
        stroke(mask, [x, y], [u, v], r, false);
        expect(mask.values.some((value) => value === 255)).toBe(true);
        stroke(mask, [x, y], [u, v], r + 1, true);
        expect(mask.values.every((value) => value === 0)).toBe(true);
      },
    ),
  );
});

test("inverting twice, or carrying it as transparency and back, changes nothing", () => {
  const mask = emptyMask(16, 9);
  stroke(mask, [3, 3], [12, 6], 2.5, false);
  expect(inverted(inverted(mask))).toEqual(mask);
  expect(fromPixels(16, 9, toPixels(mask))).toEqual(mask);
});

test("feathering softens the edge, keeps the inside and the whole amount", () => {
  const mask = emptyMask(60, 60);
  stroke(mask, [30, 30], [30, 30], 15, false);
  const soft = feathered(mask, 6);
  const sum = (values: Uint8ClampedArray) => values.reduce((total, value) => total + value, 0);
  expect(soft.values[30 * 60 + 30]).toBe(255);
  expect(soft.values[0]).toBe(0);
  expect(soft.values[30 * 60 + 46]).toBeGreaterThan(0);
  expect(Math.abs(sum(soft.values) / sum(mask.values) - 1)).toBeLessThan(0.01);
  expect(feathered(mask, 0)).toBe(mask);
});
