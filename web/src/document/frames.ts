/** Frames: titled groups on the sheet, and what lies in them. */

import { around, type Box, holds } from "@/document/boxes";
import type { Command } from "@/document/commands";
import type { Frame, NodeId, Position, Sheet } from "@/document/types";
import { t } from "@/strings/strings";

const PAD_PX = 20;
const NOTE_LINE_PX = 20;
/** What of a node must lie in a frame: the middle of its title, which stays while the node grows. */
const TITLE_MIDDLE_PX = 16;
const SMALLEST_PX = 64;

export type Boxes = ReadonlyMap<NodeId, Box>;

/** The rectangle of a frame. */
export function boxOfFrame({ position, size }: Frame): Box {
  return { x: position[0], y: position[1], width: size[0], height: size[1] };
}

/** The nodes that lie in a frame. */
export function nodesIn(frame: Frame, boxes: Boxes): NodeId[] {
  const own = boxOfFrame(frame);
  return [...boxes]
    .filter(([, { x, y, width }]) => holds(own, [x + width / 2, y + TITLE_MIDDLE_PX]))
    .map(([id]) => id);
}

/** The other frames that lie wholly in a frame. */
export function framesIn(frame: Frame, frames: readonly Frame[]): Frame[] {
  const own = boxOfFrame(frame);
  return frames.filter(({ id, position: [x, y], size: [width, height] }) => {
    return id !== frame.id && holds(own, [x, y]) && holds(own, [x + width, y + height]);
  });
}

/** Where a frame around these boxes lies, with some air, and with room for its text above them. */
export function fitted(
  boxes: Iterable<Box>,
  text = "",
): Pick<Frame, "position" | "size"> | undefined {
  const whole = around(boxes);
  const top = PAD_PX + (text ? NOTE_LINE_PX * text.split("\n").length : 0);
  return (
    whole && {
      position: [whole.x - PAD_PX, whole.y - top],
      size: [whole.width + 2 * PAD_PX, whole.height + top + PAD_PX],
    }
  );
}

/** A size that a frame may have. */
export function sized([width, height]: Position): Frame["size"] {
  return [Math.max(SMALLEST_PX, Math.round(width)), Math.max(SMALLEST_PX, Math.round(height))];
}

/** A name for a frame that is not among those taken. */
export function freshName(taken: ReadonlySet<string>): string {
  let next = taken.size + 1;
  while (taken.has(`f${next}`)) {
    next += 1;
  }
  return `f${next}`;
}

/** Put a frame on the sheet, under the nodes. */
export function addFrame(frame: Frame): Command {
  return {
    label: t.steps.addFrame,
    recipe: (draft) => {
      draft.frames.push(frame);
      return undefined;
    },
  };
}

/** Change a frame: its title, its place, its size. */
export function setFrame(id: string, label: string, change: Partial<Frame>): Command {
  return {
    label,
    recipe: (draft) => {
      const frame = draft.frames.find((candidate) => candidate.id === id);
      if (frame) {
        Object.assign(frame, change);
      }
      return undefined;
    },
  };
}

/** Take frames away; what lies in them stays. */
export function removeFrames(ids: readonly string[]): Command {
  return {
    label: t.steps.deleteFrames(ids.length),
    recipe: (draft) => {
      if (ids.length > 0) {
        draft.frames = draft.frames.filter(({ id }) => !ids.includes(id));
      }
      return undefined;
    },
  };
}

export interface Moved {
  nodes: Readonly<Record<NodeId, Position>>;
  frames: Readonly<Record<string, Position>>;
}

/** A move of nodes and frames, together with all that lies in those frames. */
export function carried(sheet: Sheet, boxes: Boxes, { nodes, frames }: Moved): Moved {
  const all = { nodes: { ...nodes }, frames: { ...frames } };
  for (const frame of sheet.frames) {
    const to = frames[frame.id];
    if (!to) {
      continue;
    }
    const by = [to[0] - frame.position[0], to[1] - frame.position[1]] as const;
    for (const id of nodesIn(frame, boxes)) {
      const position = sheet.nodes[id]?._meta.position;
      if (position) {
        all.nodes[id] ??= [position[0] + by[0], position[1] + by[1]];
      }
    }
    for (const { id, position } of framesIn(frame, sheet.frames)) {
      all.frames[id] ??= [position[0] + by[0], position[1] + by[1]];
    }
  }
  return all;
}
