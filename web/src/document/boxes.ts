/** Rectangles on the sheet: around several, inside one another, aligned and spread out. */

import type { Position } from "@/document/types";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Edge = "left" | "centre" | "right" | "top" | "middle" | "bottom";

/** The smallest box around all of them; undefined around none. */
export function around(boxes: Iterable<Box>): Box | undefined {
  let found: Box | undefined;
  for (const box of boxes) {
    if (!found) {
      found = box;
      continue;
    }
    const x = Math.min(found.x, box.x);
    const y = Math.min(found.y, box.y);
    const right = Math.max(found.x + found.width, box.x + box.width);
    const bottom = Math.max(found.y + found.height, box.y + box.height);
    found = { x, y, width: right - x, height: bottom - y };
  }
  return found;
}

/** Whether the point lies in the box. */
export function holds(box: Box, [x, y]: Position): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

/** Whether the two have a point in common. */
export function meet(a: Box, b: Box): boolean {
  return (
    a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height
  );
}

/** Places at which all boxes share an edge, or a middle line, of the box around them. */
export function aligned<K>(boxes: ReadonlyMap<K, Box>, edge: Edge): Map<K, Position> {
  const whole = around(boxes.values());
  const places = new Map<K, Position>();
  for (const [key, box] of boxes) {
    if (whole) {
      places.set(key, placeAt(box, whole, edge));
    }
  }
  return places;
}

function placeAt(box: Box, whole: Box, edge: Edge): Position {
  switch (edge) {
    case "left":
      return [whole.x, box.y];
    case "centre":
      return [Math.round(whole.x + (whole.width - box.width) / 2), box.y];
    case "right":
      return [whole.x + whole.width - box.width, box.y];
    case "top":
      return [box.x, whole.y];
    case "middle":
      return [box.x, Math.round(whole.y + (whole.height - box.height) / 2)];
    case "bottom":
      return [box.x, whole.y + whole.height - box.height];
  }
}

/** Places with equal gaps between neighbours, within the box around them all. */
export function distributed<K>(
  boxes: ReadonlyMap<K, Box>,
  axis: "across" | "down",
): Map<K, Position> {
  const start = (box: Box) => (axis === "across" ? box.x : box.y);
  const length = (box: Box) => (axis === "across" ? box.width : box.height);
  const sorted = [...boxes].sort(([, a], [, b]) => start(a) - start(b));
  const whole = around(boxes.values());
  const filled = sorted.reduce((sum, [, box]) => sum + length(box), 0);
  const gap = whole ? (length(whole) - filled) / Math.max(1, sorted.length - 1) : 0;
  let at = whole ? start(whole) : 0;
  const places = new Map<K, Position>();
  for (const [key, box] of sorted) {
    const place = Math.round(at);
    places.set(key, axis === "across" ? [place, box.y] : [box.x, place]);
    at += length(box) + gap;
  }
  return places;
}
