import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../../src/ui/tokens.css", import.meta.url), "utf8");

/** The colours of one look: `light-dark(oklch(L C H), ...)` by name. */
function colours(selector: string, side: 0 | 1): Map<string, number[]> {
  const block = css.slice(css.indexOf(`${selector} {`)).split("}")[0] ?? "";
  const pairs = [
    ...block.matchAll(/--([\w-]+): light-dark\((oklch\([^)]*\)), (oklch\([^)]*\))\)/g),
  ];
  return new Map(
    pairs.map(([, name = "", ...both]) => [
      name,
      (both[side] ?? "").match(/[\d.]+/g)?.map(Number) ?? [],
    ]),
  );
}

/** Relative luminance of an OKLCH colour (Björn Ottosson's matrices; WCAG 2.2 for the rest). */
function luminance([l = 0, c = 0, h = 0]: readonly number[] = []): number {
  const angle = (h * Math.PI) / 180;
  const [a, b] = [c * Math.cos(angle), c * Math.sin(angle)];
  const [x, y, z] = [
    (l + 0.3963377774 * a + 0.2158037573 * b) ** 3,
    (l - 0.1055613458 * a - 0.0638541728 * b) ** 3,
    (l - 0.0894841775 * a - 1.291485548 * b) ** 3,
  ];
  const linear = [
    4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z,
    -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z,
    -0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z,
  ].map((value) => Math.min(1, Math.max(0, value)));
  const [red = 0, green = 0, blue = 0] = linear;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(
  one: readonly number[] | undefined,
  other: readonly number[] | undefined,
): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const WRITING = ["text", "text-2", "text-3", "accent", "danger"];
const GROUNDS = ["canvas", "node", "well"];

test("the luminance of white and black is known", () => {
  expect(contrast([1, 0, 0], [0, 0, 0])).toBeCloseTo(21, 3);
});

test.each([
  ["light", ":root", 0, 4.5],
  ["dark", ":root", 1, 4.5],
  ["light in high contrast", ':root[data-contrast="more"]', 0, 7],
  ["dark in high contrast", ':root[data-contrast="more"]', 1, 7],
] as const)("what is written can be read: %s", (_, selector, side, least) => {
  const found = colours(selector, side);
  const low = WRITING.flatMap((ink) =>
    GROUNDS.map((ground) => [ink, ground, contrast(found.get(ink), found.get(ground))] as const),
  ).filter(([, , ratio]) => ratio < least);
  expect(low).toEqual([]);
  expect(contrast(found.get("on-accent"), found.get("accent"))).toBeGreaterThanOrEqual(least);
});
