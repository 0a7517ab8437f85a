/** Reroutes: dots on a wire, which only lead it another way. */

import type { Command } from "@/document/commands";
import {
  isLink,
  type Link,
  type NodeId,
  type NodeRecord,
  type Position,
  type Sheet,
} from "@/document/types";
import { t } from "@/strings/strings";

export const REROUTE = "Reroute";
export const REROUTE_INPUT = "value";

export function isReroute(record: NodeRecord | undefined): boolean {
  return record?.class_type === REROUTE;
}

/** Where a wire really comes from, past reroutes; undefined if it comes from nowhere. */
export function pastReroutes(
  sheet: Sheet,
  link: Link,
  through: (id: NodeId) => boolean = () => true,
): Link | undefined {
  const passed = new Set<NodeId>();
  let at: Link = link;
  while (isReroute(sheet.nodes[at[0]]) && through(at[0])) {
    const before = sheet.nodes[at[0]]?.inputs[REROUTE_INPUT];
    if (passed.has(at[0]) || !isLink(before)) {
      return undefined;
    }
    passed.add(at[0]);
    at = before;
  }
  return at;
}

/** Put a dot on a wire. */
export function addReroute(
  id: NodeId,
  end: { target: NodeId; input: string },
  position: Position,
): Command {
  return {
    label: t.actions.reroute,
    recipe: (sheet) => {
      const node = sheet.nodes[end.target];
      const link = node?.inputs[end.input];
      if (node && isLink(link)) {
        sheet.nodes[id] = {
          class_type: REROUTE,
          inputs: { [REROUTE_INPUT]: [...link] },
          _meta: { position },
        };
        node.inputs[end.input] = [id, 0];
      }
      return undefined;
    },
  };
}
