/** Where a dragged box comes to lie in line with others, and the lines that show it. */

import type { Box } from "@/document/boxes";

/** A line on the sheet: upright at `x`, or level at `y`. */
export interface Guide {
  axis: "x" | "y";
  at: number;
  from: number;
  to: number;
}

export interface Snapped {
  dx: number;
  dy: number;
  guides: readonly Guide[];
}

/** One direction of a box: where it starts, how long it is. */
interface Span {
  start: number;
  length: number;
}

/** Shift the box by at most `reach` in each direction, so that an edge or its middle meets another's. */
export function snap(moving: Box, others: readonly Box[], reach: number): Snapped {
  const dx = nearest(across(moving), others.map(across), reach);
  const dy = nearest(down(moving), others.map(down), reach);
  const moved = { ...moving, x: moving.x + (dx ?? 0), y: moving.y + (dy ?? 0) };
  return {
    dx: dx ?? 0,
    dy: dy ?? 0,
    guides: [
      ...(dx === undefined ? [] : lines("x", moved, others)),
      ...(dy === undefined ? [] : lines("y", moved, others)),
    ],
  };
}

function across({ x, width }: Box): Span {
  return { start: x, length: width };
}

function down({ y, height }: Box): Span {
  return { start: y, length: height };
}

/** The pairs of places, one on each span, that may be brought together. */
function pairs(a: Span, b: Span): readonly (readonly [number, number])[] {
  const [aEnd, bEnd] = [a.start + a.length, b.start + b.length];
  return [
    [a.start, b.start],
    [aEnd, bEnd],
    [a.start, bEnd],
    [aEnd, b.start],
    [a.start + a.length / 2, b.start + b.length / 2],
  ];
}

function nearest(span: Span, others: readonly Span[], reach: number): number | undefined {
  let best: number | undefined;
  for (const other of others) {
    for (const [own, theirs] of pairs(span, other)) {
      const by = theirs - own;
      if (Math.abs(by) <= reach && (best === undefined || Math.abs(by) < Math.abs(best))) {
        best = by;
      }
    }
  }
  return best;
}

/** A line through every place where the box now meets another, as long as both. */
function lines(axis: "x" | "y", moved: Box, others: readonly Box[]): Guide[] {
  const along = axis === "x" ? across : down;
  const beside = axis === "x" ? down : across;
  const found = new Map<number, Guide>();
  for (const other of others) {
    for (const [own, theirs] of pairs(along(moved), along(other))) {
      if (Math.abs(own - theirs) < 0.01) {
        const old = found.get(theirs);
        const ends = [beside(moved), beside(other)];
        const from = Math.min(old?.from ?? Infinity, ...ends.map(({ start }) => start));
        const to = Math.max(
          old?.to ?? -Infinity,
          ...ends.map(({ start, length }) => start + length),
        );
        found.set(theirs, { axis, at: theirs, from, to });
      }
    }
  }
  return [...found.values()];
}
