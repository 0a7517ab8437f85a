/**
 * Every change a person can make to a workflow.
 *
 * A command is a label for the history and a recipe over Immer drafts: of the sheet that is open, and
 * of the whole document, which is the same draft at the top.  Nothing else writes to the document.
 */

import { pastReroutes } from "@/document/reroutes";
import { headOf, isEdge, sweep } from "@/document/subgraphs";
import {
  isLink,
  type Json,
  type NodeId,
  type NodeMeta,
  type NodeRecord,
  type Position,
  type Sheet,
  type Value,
  type Workflow,
} from "@/document/types";
import { t } from "@/strings/strings";

export interface Command {
  label: string;
  key?: string;
  gesture?: boolean;
  /** Change the drafts, or return a whole new document. */
  recipe: (sheet: Sheet, whole: Workflow) => Workflow | undefined;
}

/** What an input falls back to when its wire goes away; undefined leaves it empty. */
export type Fallback = (classType: string, input: string) => Json | undefined;

export interface Wire {
  source: NodeId;
  slot: number;
  target: NodeId;
  input: string;
}

/** Put a node on the canvas. */
export function addNode(id: NodeId, record: NodeRecord, label = t.actions.add): Command {
  return addNodes({ [id]: record }, label);
}

/** Put several nodes on the canvas in one step, wires among them included. */
export function addNodes(records: Readonly<Record<NodeId, NodeRecord>>, label: string): Command {
  return {
    label,
    recipe: (draft) => {
      Object.assign(draft.nodes, records);
      return undefined;
    },
  };
}

/** Run several commands as one entry of the history. */
export function together(label: string, commands: readonly Command[]): Command {
  return {
    label,
    recipe: (sheet, whole) => {
      for (const command of commands) {
        command.recipe(sheet, whole);
      }
      return undefined;
    },
  };
}

/** Lead a wire into an input; the value or wire that was there gives way. */
export function connect({ source, slot, target, input }: Wire): Command {
  return {
    label: t.connect.title,
    recipe: (draft) => {
      const node = draft.nodes[target];
      if (node && draft.nodes[source]) {
        const value = node.inputs[input];
        if (value !== undefined && !isLink(value)) {
          node._meta.values = { ...node._meta.values, [input]: value as Json };
        }
        node.inputs[input] = [source, slot];
      }
      return undefined;
    },
  };
}

/** Cut wires; a field holds again what it held before, or else its default. */
export function disconnect(
  ends: readonly { target: NodeId; input: string }[],
  fallback: Fallback,
): Command {
  return {
    label: t.steps.disconnect(ends.length),
    recipe: (draft) => {
      for (const { target, input } of ends) {
        const node = draft.nodes[target];
        if (node && isLink(node.inputs[input])) {
          cut(node, input, fallback);
        }
      }
      return undefined;
    },
  };
}

/** Take the wire out of an input, which holds again what it held before. */
export function cut(node: NodeRecord, input: string, fallback: Fallback): void {
  const { [input]: before, ...others } = node._meta.values ?? {};
  const value = before ?? fallback(node.class_type, input);
  if (before !== undefined) {
    node._meta.values = others;
    if (Object.keys(others).length === 0) {
      delete node._meta.values;
    }
  }
  if (value === undefined) {
    delete node.inputs[input];
  } else {
    node.inputs[input] = value;
  }
}

/** Give an input a literal value.  `gesture` names a drag, so that all of it is one entry. */
export function setValue(node: NodeId, input: string, value: Json, gesture?: string): Command {
  return {
    label: t.steps.value,
    key: gesture ?? `value:${node}:${input}`,
    gesture: gesture !== undefined,
    recipe: (draft) => {
      const record = draft.nodes[node];
      if (record) {
        record.inputs[input] = value as Value;
      }
      return undefined;
    },
  };
}

/** Move nodes, and frames, to where a drag or the arrow keys left them. */
export function move(
  positions: Readonly<Record<NodeId, Position>>,
  frames: Readonly<Record<string, Position>> = {},
): Command {
  const ids = Object.keys(positions).sort();
  const framed = Object.keys(frames).sort();
  const many = t.steps.move(ids.length);
  return {
    label: framed.length > 0 ? t.steps.moveFrame : many,
    key: `move:${ids.join(",")}:${framed.join(",")}`,
    recipe: (draft) => {
      for (const id of ids) {
        const record = draft.nodes[id];
        const position = positions[id];
        if (record && position) {
          record._meta.position = position;
        }
      }
      for (const frame of draft.frames) {
        frame.position = frames[frame.id] ?? frame.position;
      }
      return undefined;
    },
  };
}

/**
 * Take nodes away, with their wires and the public names that pointed at them.
 *
 * A wire through a reroute that goes is led on from where it came.  The entrance and the exit of a
 * subgraph stay; a definition that no node needs any more goes too.
 */
export function remove(ids: readonly NodeId[], fallback: Fallback): Command {
  return {
    label: t.steps.deleteNodes(ids.length),
    recipe: (sheet, whole) => {
      const gone = new Set(ids.filter((id) => sheet.nodes[id] && !isEdge(sheet.nodes[id])));
      for (const node of Object.values(sheet.nodes)) {
        for (const [input, value] of Object.entries(node.inputs)) {
          if (isLink(value) && gone.has(value[0])) {
            const healed = pastReroutes(sheet, value, (id) => gone.has(id));
            if (healed && !gone.has(healed[0])) {
              node.inputs[input] = [...healed];
            } else {
              cut(node, input, fallback);
            }
          }
        }
      }
      for (const id of gone) {
        delete sheet.nodes[id];
      }
      if (sheet === whole) {
        forgetNames(whole, gone);
      }
      sweep(whole);
      return undefined;
    },
  };
}

/** Drop the public names of nodes that went. */
function forgetNames(whole: Workflow, gone: ReadonlySet<NodeId>): void {
  for (const names of [whole.parameters, whole.results]) {
    for (const [name, place] of Object.entries(names)) {
      if (gone.has(place.node) || gone.has(headOf(whole, place.node))) {
        delete names[name];
      }
    }
  }
}

/** Change what is noted about a node: its title, whether it is folded, how its seed is chosen. */
export function setMeta(id: NodeId, label: string, change: Partial<NodeMeta>): Command {
  return {
    label,
    recipe: (draft) => {
      const record = draft.nodes[id];
      if (record) {
        Object.assign(record._meta, change);
      }
      return undefined;
    },
  };
}

/** Name the workflow. */
export function rename(name: string): Command {
  return {
    label: t.actions.rename,
    key: "rename",
    recipe: (_, whole) => {
      whole.name = name;
      return undefined;
    },
  };
}

/** Put another workflow in the place of this one; undo brings the old one back. */
export function replace(workflow: Workflow, label: string): Command {
  return { label, recipe: () => workflow };
}

/** The smallest whole number that no node is called by yet, as an id; `taken` are ids given away meanwhile. */
export function freshId(sheet: Sheet, taken: ReadonlySet<NodeId> = new Set()): NodeId {
  let next = 1;
  for (const id of [...Object.keys(sheet.nodes), ...taken]) {
    const number = Number(id.split(":")[0]); // parts of a subgraph are called as 12:3 when it runs
    if (Number.isSafeInteger(number) && number >= next) {
      next = number + 1;
    }
  }
  return String(next);
}
