/** Putting nodes in order: by columns along the wires, with the frames around what they held. */

import { around } from "@/document/boxes";
import { type Command, move, together } from "@/document/commands";
import { type Boxes, fitted, nodesIn, setFrame } from "@/document/frames";
import { layout } from "@/document/layout";
import type { NodeId, Position, Sheet } from "@/document/types";
import { t } from "@/strings/strings";

/** A command that lays out these nodes anew; they begin where they began. */
export function tidy(sheet: Sheet, ids: readonly NodeId[], boxes: Boxes): Command {
  const nodes = Object.fromEntries(
    ids.flatMap((id) => (sheet.nodes[id] ? [[id, sheet.nodes[id]]] : [])),
  );
  const places = layout({ ...sheet, nodes }, (id) => boxes.get(id) ?? { width: 0, height: 0 });
  const before = around(ids.flatMap((id) => boxes.get(id) ?? []));
  const moved: Record<NodeId, Position> = {};
  for (const [id, [x, y]] of Object.entries(places)) {
    moved[id] = [Math.round(x + (before?.x ?? 0)), Math.round(y + (before?.y ?? 0))];
  }
  return together(t.actions.tidy, [move(moved), ...refitted(sheet, boxes, moved)]);
}

function refitted(
  sheet: Sheet,
  boxes: Boxes,
  moved: Readonly<Record<NodeId, Position>>,
): Command[] {
  return sheet.frames.flatMap((frame) => {
    const inside = nodesIn(frame, boxes);
    if (!inside.some((id) => id in moved)) {
      return [];
    }
    const now = inside.flatMap((id) => {
      const box = boxes.get(id);
      const [x, y] = moved[id] ?? [box?.x ?? 0, box?.y ?? 0];
      return box ? [{ ...box, x, y }] : [];
    });
    const place = fitted(now, frame.text);
    return place ? [setFrame(frame.id, "", place)] : [];
  });
}
