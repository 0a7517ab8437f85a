/** Copying nodes and frames as JSON text, and giving pasted ones fresh ids. */

import { addNodes, type Command, freshId, together } from "@/document/commands";
import { addFrame, freshName } from "@/document/frames";
import { readWorkflow, Unreadable } from "@/document/read";
import {
  classOf,
  entranceOf,
  exitOf,
  freshDefinition,
  isEdge,
  mayStand,
  neededBy,
  type Path,
  sheetAt,
} from "@/document/subgraphs";
import {
  type Frame,
  isLink,
  type Json,
  type NodeId,
  type NodeRecord,
  type Sheet,
  type Subgraph,
  type Workflow,
} from "@/document/types";
import { t } from "@/strings/strings";

const MARK = "safelight_nodes";

/** A part of a workflow. */
export interface Piece {
  nodes: Readonly<Record<NodeId, NodeRecord>>;
  frames: readonly Frame[];
  /** The definitions that its nodes need. */
  subgraphs: Readonly<Record<string, Subgraph>>;
}

/** These nodes and frames of a sheet; an entrance or exit is not to be copied. */
export function pieceOf(
  workflow: Workflow,
  ids: readonly NodeId[],
  frames: readonly string[] = [],
  sheet: Sheet = workflow,
): Piece {
  const { subgraphs } = workflow;
  const nodes = Object.fromEntries(
    ids.flatMap((id) => {
      const record = sheet.nodes[id];
      return record && !isEdge(record) ? [[id, record]] : [];
    }),
  );
  const needed = neededBy(subgraphs, nodes);
  return {
    nodes,
    frames: sheet.frames.filter(({ id }) => frames.includes(id)),
    subgraphs: Object.fromEntries(Object.entries(subgraphs).filter(([id]) => needed.has(id))),
  };
}

/** A part as text; wires that come from elsewhere stay as they are. */
export function textOf({ nodes, frames, subgraphs }: Piece): string {
  return JSON.stringify({ [MARK]: 1, nodes, frames, subgraphs });
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
  const { nodes = {}, frames = [], subgraphs = {} } = json;
  return readWorkflow({ safelight: 1, nodes, frames, subgraphs }, "").workflow;
}

/**
 * A command that adds a copy of a part, moved by `offset`, and the ids of what it adds.
 *
 * A definition that is here already is used; one that only has the name of another gets a new one.
 *
 * @throws Unreadable when it holds a subgraph that the open sheet lies in.
 */
export function pasting(
  workflow: Workflow,
  piece: Piece,
  offset: readonly [number, number],
  label: string,
  path: Path = [],
): { command: Command; nodes: NodeId[]; frames: string[] } {
  const sheet = sheetAt(workflow, path);
  const { subgraphs, named } = adopted(workflow.subgraphs, piece.subgraphs);
  const grown = { ...workflow, subgraphs: { ...workflow.subgraphs, ...subgraphs } };
  const records = mapped(piece.nodes, (record) => reclassed(record, named));
  for (const definition of neededBy(grown.subgraphs, records)) {
    if (!mayStand(grown, path, definition)) {
      throw new Unreadable(t.refusals.itself);
    }
  }
  const nodes = renumbered(sheet, records, offset);
  const taken = new Set(sheet.frames.map(({ id }) => id));
  const frames = piece.frames.map((frame) => {
    const id = freshName(taken);
    taken.add(id);
    const [x, y] = frame.position;
    return { ...frame, id, position: [x + offset[0], y + offset[1]] as const };
  });
  return {
    command: together(label, [define(subgraphs), addNodes(nodes, label), ...frames.map(addFrame)]),
    nodes: Object.keys(nodes),
    frames: frames.map(({ id }) => id),
  };
}

/** The definitions that a document lacks, and what each of a part is called there. */
function adopted(
  here: Readonly<Record<string, Subgraph>>,
  theirs: Readonly<Record<string, Subgraph>>,
): { subgraphs: Record<string, Subgraph>; named: ReadonlyMap<string, string> } {
  const named = new Map<string, string>();
  const taken = new Set(Object.keys(here));
  for (const [id, subgraph] of Object.entries(theirs)) {
    const other = id in here && JSON.stringify(here[id]) !== JSON.stringify(subgraph);
    const name = other ? freshDefinition(new Set([...taken, ...Object.keys(theirs)])) : id;
    taken.add(name);
    named.set(id, name);
  }
  const subgraphs: Record<string, Subgraph> = {};
  for (const [id, subgraph] of Object.entries(theirs)) {
    const name = named.get(id) ?? id;
    if (!(name in here)) {
      const nodes = mapped(subgraph.nodes, (record) => reclassed(record, named));
      subgraphs[name] = { ...subgraph, nodes };
    }
  }
  return { subgraphs, named };
}

/** The record with the definition it speaks of called by its name here. */
function reclassed(record: NodeRecord, named: ReadonlyMap<string, string>): NodeRecord {
  for (const kind of [classOf, entranceOf, exitOf]) {
    const id = record.class_type.slice(kind("").length);
    if (record.class_type === kind(id) && named.has(id)) {
      return { ...record, class_type: kind(named.get(id) ?? id) };
    }
  }
  return record;
}

function define(subgraphs: Readonly<Record<string, Subgraph>>): Command {
  return {
    label: "",
    recipe: (_, whole) => {
      Object.assign(whole.subgraphs, subgraphs);
      return undefined;
    },
  };
}

function mapped<T, U>(items: Readonly<Record<string, T>>, change: (item: T) => U) {
  return Object.fromEntries(Object.entries(items).map(([id, item]) => [id, change(item)]));
}

/**
 * The same nodes under ids that `sheet` does not use, moved by `offset`.
 *
 * A wire from a node outside the copy is kept if that node exists here, and dropped otherwise.
 */
export function renumbered(
  sheet: Sheet,
  nodes: Readonly<Record<NodeId, NodeRecord>>,
  offset: readonly [number, number],
): Record<NodeId, NodeRecord> {
  const ids = new Map<NodeId, NodeId>();
  for (const id of Object.keys(nodes)) {
    ids.set(id, freshId(sheet, new Set(ids.values())));
  }
  const copies: Record<NodeId, NodeRecord> = {};
  for (const [id, record] of Object.entries(nodes)) {
    const [x, y] = record._meta.position;
    copies[ids.get(id) ?? id] = {
      ...record,
      inputs: rewired(record.inputs, ids, sheet),
      _meta: { ...record._meta, position: [x + offset[0], y + offset[1]] },
    };
  }
  return copies;
}

function rewired(
  inputs: NodeRecord["inputs"],
  ids: ReadonlyMap<NodeId, NodeId>,
  sheet: Sheet,
): NodeRecord["inputs"] {
  const kept: NodeRecord["inputs"] = {};
  for (const [name, value] of Object.entries(inputs)) {
    if (!isLink(value)) {
      kept[name] = value;
    } else {
      const source = ids.get(value[0]) ?? (value[0] in sheet.nodes ? value[0] : undefined);
      if (source !== undefined) {
        kept[name] = [source, value[1]];
      }
    }
  }
  return kept;
}
