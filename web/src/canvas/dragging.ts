/** Where things are during a drag: with what lies in dragged frames, and in line with their neighbours. */

import { frameNode, frameOf } from "@/canvas/ends";
import { around, type Box, meet } from "@/document/boxes";
import { type Boxes, boxOfFrame, carried, type Moved } from "@/document/frames";
import { type Guide, snap } from "@/document/snap";
import type { Position, Sheet } from "@/document/types";

/** Positions by the names of nodes and frames on the canvas. */
export type Places = Readonly<Record<string, Position>>;

/** The nodes and the frames among the places. */
export function settled(places: Places): Moved {
  const nodes: Record<string, Position> = {};
  const frames: Record<string, Position> = {};
  for (const [name, position] of Object.entries(places)) {
    const frame = frameOf(name);
    if (frame === undefined) {
      nodes[name] = position;
    } else {
      frames[frame] = position;
    }
  }
  return { nodes, frames };
}

/** Where everything goes when these are moved. */
export function unsnapped(sheet: Sheet, boxes: Boxes, moving: Places): Places {
  const { nodes, frames } = carried(sheet, boxes, settled(moving));
  const framed = Object.entries(frames).map(([id, place]) => [frameNode(id), place] as const);
  return { ...nodes, ...Object.fromEntries(framed) };
}

/** The same, shifted by at most `reach` to lie in line with what can be seen. */
export function dragged(
  sheet: Sheet,
  boxes: Boxes,
  moving: Places,
  seen: Box,
  reach: number,
): { drag: Places; guides: readonly Guide[] } {
  const drag = unsnapped(sheet, boxes, moving);
  const own: Box[] = [];
  const others: Box[] = [];
  for (const [name, box] of named(sheet, boxes)) {
    const place = drag[name];
    if (place) {
      own.push({ ...box, x: place[0], y: place[1] });
    } else if (meet(box, seen)) {
      others.push(box);
    }
  }
  const whole = around(own);
  if (!whole) {
    return { drag, guides: [] };
  }
  const { dx, dy, guides } = snap(whole, others, reach);
  const shifted = Object.entries(drag).map(
    ([name, [x, y]]) => [name, [Math.round(x + dx), Math.round(y + dy)]] as const,
  );
  return { drag: Object.fromEntries(shifted), guides };
}

function* named(sheet: Sheet, boxes: Boxes): Generator<readonly [string, Box]> {
  yield* boxes;
  for (const frame of sheet.frames) {
    yield [frameNode(frame.id), boxOfFrame(frame)];
  }
}
