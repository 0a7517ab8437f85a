/** A subgraph's parts in the place of one of its instances. */

import { type Command, cut, type Fallback, freshId } from "@/document/commands";
import { freshName } from "@/document/frames";
import { middle } from "@/document/packing";
import { inputOf, type Schema } from "@/document/schema";
import {
  definitionOf,
  edgeOf,
  fedBy,
  isEdge,
  isEntrance,
  isExit,
  sweep,
} from "@/document/subgraphs";
import {
  type Frame,
  isLink,
  type Json,
  type Link,
  type NodeId,
  type NodeRecord,
  type Sheet,
  type Subgraph,
  type Workflow,
} from "@/document/types";
import { t } from "@/strings/strings";

/** A command that puts the parts of a subgraph in the place of an instance, and the ids they get. */
export function unpack(
  schema: Schema,
  workflow: Workflow,
  sheet: Sheet,
  id: NodeId,
  fallback: Fallback,
): { command: Command; nodes: NodeId[] } | undefined {
  const instance = sheet.nodes[id];
  const inner = workflow.subgraphs[definitionOf(instance) ?? ""];
  if (!instance || !inner) {
    return undefined;
  }
  const unpacking = new Unpacking(schema, sheet, id, instance, inner);
  const nodes = unpacking.nodes();
  const frames = unpacking.frames();
  const command: Command = {
    label: t.actions.unpack,
    recipe: (draft, whole) => {
      delete draft.nodes[id];
      unpacking.rewire(draft, fallback);
      Object.assign(draft.nodes, nodes);
      draft.frames.push(...frames);
      if (draft === whole) {
        unpacking.rename(whole);
      }
      sweep(whole);
      return undefined;
    },
  };
  return { command, nodes: Object.keys(nodes) };
}

/** An instance on its way to its parts. */
class Unpacking {
  private readonly ids = new Map<NodeId, NodeId>();
  private readonly shift: readonly [number, number];
  private readonly entrance: NodeId | undefined;

  constructor(
    private readonly schema: Schema,
    private readonly sheet: Sheet,
    private readonly id: NodeId,
    private readonly instance: NodeRecord,
    private readonly inner: Subgraph,
  ) {
    this.entrance = edgeOf(inner, isEntrance)?.[0];
    const [x, y] = instance._meta.position;
    const [fromX, fromY] = middle(inner.nodes);
    this.shift = [x - fromX, y - fromY];
    const parts = Object.entries(inner.nodes).filter(([, record]) => !isEdge(record));
    const free = (part: NodeId) => part === id || !(part in sheet.nodes);
    const kept = parts.map(([part]) => part).filter(free);
    for (const [part] of parts) {
      const taken = new Set([...kept, ...this.ids.values()]);
      this.ids.set(part, free(part) ? part : freshId(sheet, taken));
    }
  }

  nodes(): Record<NodeId, NodeRecord> {
    const nodes: Record<NodeId, NodeRecord> = {};
    for (const [part, id] of this.ids) {
      const record = this.inner.nodes[part];
      if (record) {
        nodes[id] = this.part(record);
      }
    }
    return nodes;
  }

  frames(): Frame[] {
    const taken = new Set(this.sheet.frames.map(({ id }) => id));
    return this.inner.frames.map((frame) => {
      const id = taken.has(frame.id) ? freshName(taken) : frame.id;
      taken.add(id);
      const [x, y] = frame.position;
      return { ...frame, id, position: [x + this.shift[0], y + this.shift[1]] as const };
    });
  }

  /** Lead what the instance fed on from its parts. */
  rewire(draft: Sheet, fallback: Fallback): void {
    for (const { target, input, slot } of [...fedBy(draft, this.id)]) {
      const node = draft.nodes[target];
      const from = this.given(slot);
      if (node && isLink(from)) {
        node.inputs[input] = [...from];
      } else if (node) {
        cut(node, input, fallback);
      }
    }
  }

  /** Let the public names of the instance lead to its parts. */
  rename(whole: Workflow): void {
    for (const [name, place] of Object.entries(whole.parameters)) {
      if (place.node === this.id) {
        const slot = this.inner.inputs.findIndex((end) => end.name === place.input);
        const [end] = this.entrance === undefined ? [] : fedBy(this.inner, this.entrance, slot);
        const node = this.ids.get(end?.target ?? "");
        if (end && node !== undefined) {
          Object.assign(place, { node, input: end.input });
        } else {
          delete whole.parameters[name];
        }
      }
    }
    for (const [name, place] of Object.entries(whole.results)) {
      const from = place.node === this.id ? this.given(place.output) : undefined;
      const [head, part = "", ...deeper] = place.node.split(":");
      const shown = head === this.id && !from ? this.ids.get(part) : undefined;
      if (shown !== undefined) {
        place.node = [shown, ...deeper].join(":");
      } else if (isLink(from)) {
        Object.assign(place, { node: from[0], output: from[1] });
      } else if (place.node === this.id) {
        delete whole.results[name];
      }
    }
  }

  private part(record: NodeRecord): NodeRecord {
    const inputs: NodeRecord["inputs"] = {};
    const values = { ...record._meta.values };
    for (const [input, value] of Object.entries(record.inputs)) {
      const fed = isLink(value) && value[0] === this.entrance;
      const held = (isLink(value) ? this.outer(value) : value) ?? values[input];
      if (held !== undefined) {
        inputs[input] = held;
      }
      if (fed && !isLink(held)) {
        delete values[input];
      }
    }
    const { values: _, ...about } = record._meta;
    const [x, y] = about.position;
    const meta = { ...about, position: [x + this.shift[0], y + this.shift[1]] as const };
    return {
      ...record,
      inputs,
      _meta: {
        ...meta,
        ...(Object.keys(values).length > 0 ? { values } : {}),
        ...this.modes(record),
        ...this.seeds(record),
      },
    };
  }

  /** What a wire inside is outside: another wire, or the value that the instance holds. */
  private outer(link: Link): Link | Json | undefined {
    if (link[0] !== this.entrance) {
      const id = this.ids.get(link[0]);
      return id === undefined ? undefined : [id, link[1]];
    }
    const end = this.inner.inputs[link[1]];
    return this.instance.inputs[end?.name ?? ""] ?? end?.default;
  }

  /** What an output of the instance brings. */
  private given(slot: number): Link | Json | undefined {
    const exit = edgeOf(this.inner, isExit)?.[1];
    const value = exit?.inputs[this.inner.outputs[slot]?.name ?? ""];
    return isLink(value) ? this.outer(value) : undefined;
  }

  private modes({ _meta: { mode } }: NodeRecord) {
    const { mode: outer } = this.instance._meta;
    const own = mode === undefined || mode === "always";
    return own && outer !== undefined && outer !== "always" ? { mode: outer } : {};
  }

  /** How the instance chose a seed that was shown outside. */
  private seeds(record: NodeRecord) {
    const { seed_control } = this.instance._meta;
    const shown = Object.entries(record.inputs).some(
      ([input, value]) =>
        isLink(value) &&
        value[0] === this.entrance &&
        inputOf(this.schema.nodes[record.class_type], input)?.seed,
    );
    return shown && seed_control !== undefined ? { seed_control } : {};
  }
}
