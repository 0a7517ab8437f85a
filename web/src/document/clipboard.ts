/** Copying nodes and frames as JSON text, and giving pasted ones fresh ids. */

import { addNodes, type Command, freshId, together } from "@/document/commands";
import { addFrame, freshName } from "@/document/frames";
import { readWorkflow } from "@/document/read";
import {
  type Frame,
  isLink,
  type Json,
  type NodeId,
  type NodeRecord,
  type Workflow,
} from "@/document/types";

const MARK = "safelight_nodes";

/** A part of a workflow. */
export interface Piece {
  nodes: Readonly<Record<NodeId, NodeRecord>>;
  frames: readonly Frame[];
}

/** These nodes and frames. */
export function pieceOf(
  workflow: Workflow,
  ids: readonly NodeId[],
  frames: readonly string[] = [],
): Piece {
  const nodes = Object.fromEntries(
    ids.flatMap((id) => (workflow.nodes[id] ? [[id, workflow.nodes[id]]] : [])),
  );
  return { nodes, frames: workflow.frames.filter(({ id }) => frames.includes(id)) };
}

/** A part as text; wires that come from elsewhere stay as they are. */
export function textOf({ nodes, frames }: Piece): string {
  return JSON.stringify({ [MARK]: 1, nodes, frames });
}

/**
 * The part in copied text, or undefined if it is some other text.
 *
 * @throws Unreadable when it says that it is one but is malformed.
 */
export function pieceIn(json: Json): Piece | undefined {
  if (typeof json !== "object" || json === null || !(MARK in json)) {
    return undefined;
  }
  const { nodes = {}, frames = [] } = json;
  return readWorkflow({ safelight: 1, nodes, frames }, "").workflow;
}

/** A command that adds a copy of a part, moved by `offset`, and the ids of what it adds. */
export function pasting(
  workflow: Workflow,
  piece: Piece,
  offset: readonly [number, number],
  label: string,
): { command: Command; nodes: NodeId[]; frames: string[] } {
  const nodes = renumbered(workflow, piece.nodes, offset);
  const taken = new Set(workflow.frames.map(({ id }) => id));
  const frames = piece.frames.map((frame) => {
    const id = freshName(taken);
    taken.add(id);
    const [x, y] = frame.position;
    return { ...frame, id, position: [x + offset[0], y + offset[1]] as const };
  });
  return {
    command: together(label, [addNodes(nodes, label), ...frames.map(addFrame)]),
    nodes: Object.keys(nodes),
    frames: frames.map(({ id }) => id),
  };
}

/**
 * The same nodes under ids that `workflow` does not use, moved by `offset`.
 *
 * A wire from a node outside the copy is kept if that node exists here, and dropped otherwise.
 */
export function renumbered(
  workflow: Workflow,
  nodes: Readonly<Record<NodeId, NodeRecord>>,
  offset: readonly [number, number],
): Record<NodeId, NodeRecord> {
  const ids = new Map<NodeId, NodeId>();
  for (const id of Object.keys(nodes)) {
    ids.set(id, freshId(workflow, new Set(ids.values())));
  }
  const copies: Record<NodeId, NodeRecord> = {};
  for (const [id, record] of Object.entries(nodes)) {
    const [x, y] = record._meta.position;
    copies[ids.get(id) ?? id] = {
      ...record,
      inputs: rewired(record.inputs, ids, workflow),
      _meta: { ...record._meta, position: [x + offset[0], y + offset[1]] },
    };
  }
  return copies;
}

function rewired(
  inputs: NodeRecord["inputs"],
  ids: ReadonlyMap<NodeId, NodeId>,
  workflow: Workflow,
): NodeRecord["inputs"] {
  const kept: NodeRecord["inputs"] = {};
  for (const [name, value] of Object.entries(inputs)) {
    if (!isLink(value)) {
      kept[name] = value;
    } else {
      const source = ids.get(value[0]) ?? (value[0] in workflow.nodes ? value[0] : undefined);
      if (source !== undefined) {
        kept[name] = [source, value[1]];
      }
    }
  }
  return kept;
}
