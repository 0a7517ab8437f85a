/** Frames as the canvas library draws them: nodes under all others, held by their titles. */

import { frameNode } from "@/canvas/ends";
import type { FrameNode } from "@/canvas/project";
import type { Frame, Position } from "@/document/types";
import { t } from "@/strings/strings";

interface FrameKey {
  frame: Frame;
  selected: boolean;
  at: Position;
}

export type FrameProjector = (
  frames: readonly Frame[],
  chosen: readonly string[],
  drag: Readonly<Record<string, Position>> | null,
) => FrameNode[];

/** A projection that remembers its last answer, frame by frame. */
export function createFrameProjector(): FrameProjector {
  let known = new Map<string, { key: FrameKey; node: FrameNode }>();
  let last: FrameNode[] = [];
  return (frames, chosen, drag) => {
    const next: typeof known = new Map();
    for (const frame of frames) {
      const name = frameNode(frame.id);
      const key = {
        frame,
        selected: chosen.includes(frame.id),
        at: drag?.[name] ?? frame.position,
      };
      const old = known.get(frame.id);
      const same =
        old?.key.frame === frame && old.key.selected === key.selected && old.key.at === key.at;
      next.set(frame.id, same ? old : { key, node: nodeOf(name, key) });
    }
    known = next;
    const nodes = Array.from(known.values(), ({ node }) => node);
    const unchanged =
      nodes.length === last.length && nodes.every((node, index) => node === last[index]);
    last = unchanged ? last : nodes;
    return last;
  };
}

function nodeOf(id: string, { frame, selected, at }: FrameKey): FrameNode {
  const [width, height] = frame.size;
  return {
    id,
    type: "frame",
    position: { x: at[0], y: at[1] },
    width,
    height,
    measured: { width, height },
    handles: [],
    selected,
    data: { frame },
    zIndex: -1,
    // The sheet within a frame is a sheet like any other; only the title and the corner take the pointer.
    style: { pointerEvents: "none" },
    dragHandle: "[data-frame-title]",
    ariaLabel: t.sheet.frame(frame.title || t.sheet.untitled),
  };
}
