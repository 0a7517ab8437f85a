/** Making a subgraph of chosen nodes, and its parts of a subgraph again. */

import { type Command, freshId } from "@/document/commands";
import { isReroute, pastReroutes } from "@/document/reroutes";
import { inputOf, type Schema } from "@/document/schema";
import {
  classOf,
  entranceOf,
  exitOf,
  freshDefinition,
  freshEnd,
  headOf,
  isEdge,
  runId,
} from "@/document/subgraphs";
import {
  type End,
  isLink,
  type Json,
  type Link,
  type NodeId,
  type NodeRecord,
  type Position,
  type Sheet,
  type Subgraph,
  type Workflow,
} from "@/document/types";
import { typeAt, upstream } from "@/document/typing";
import { t } from "@/strings/strings";

const BESIDE_PX = 320;

export interface Packed {
  command: Command;
  instance: NodeId;
  definition: string;
}

/** Why these nodes cannot become a subgraph, or undefined when they can. */
export function whyNotPack(sheet: Sheet, ids: readonly NodeId[]): string | undefined {
  const inside = new Set(packable(sheet, ids));
  if (inside.size === 0) {
    return t.refusals.nothingToPack;
  }
  for (const id of upstream(sheet, [...inside])) {
    if (!inside.has(id) && [...upstream(sheet, [id])].some((source) => inside.has(source))) {
      return t.refusals.between;
    }
  }
  return undefined;
}

/** A command that puts these nodes and frames into a subgraph, one instance of which takes their place. */
export function pack(
  schema: Schema,
  workflow: Workflow,
  sheet: Sheet,
  ids: readonly NodeId[],
  frames: readonly string[],
  name: string,
): Packed {
  const definition = freshDefinition(new Set(Object.keys(workflow.subgraphs)));
  const instance = freshId(sheet);
  const packing = new Packing(schema, sheet, packable(sheet, ids), definition);
  const names = sheet === workflow ? workflow : undefined;
  packing.takeInputs();
  packing.takeParameters(names?.parameters ?? {});
  packing.takeOutputs();
  packing.takeResults(names?.results ?? {});
  const inner = packing.subgraph(name, frames);
  const record = packing.instance();
  const command: Command = {
    label: t.actions.pack,
    recipe: (draft, whole) => {
      packing.rewire(draft, instance);
      draft.nodes[instance] = record;
      draft.frames = draft.frames.filter(({ id }) => !frames.includes(id));
      whole.subgraphs[definition] = inner;
      if (draft === whole) {
        packing.rename(whole, instance);
      }
      return undefined;
    },
  };
  return { command, instance, definition };
}

/** A selection on its way into a subgraph. */
class Packing {
  private readonly inputs: End[] = [];
  private readonly outputs: End[] = [];
  /** What the instance holds for each input. */
  private readonly given: Record<string, Json | Link> = {};
  /** The slot of the entrance that stands for a wire, or for a field that has a public name. */
  private readonly slots = new Map<string, number>();
  private readonly leaving = new Map<string, number>();
  private readonly inside: ReadonlySet<NodeId>;
  private readonly edges: readonly [NodeId, NodeId];
  private seeds: NodeRecord["_meta"]["seed_control"];

  constructor(
    private readonly schema: Schema,
    private readonly sheet: Sheet,
    ids: readonly NodeId[],
    private readonly definition: string,
  ) {
    this.inside = new Set(ids);
    const free = (wish: string): string => (this.inside.has(wish) ? free(`${wish}_`) : wish);
    this.edges = [free("in"), free("out")];
  }

  /** Every wire from outside becomes an input; wires from one socket share it. */
  takeInputs(): void {
    for (const [id, record] of this.parts()) {
      for (const [input, value] of Object.entries(record.inputs)) {
        if (isLink(value) && !this.inside.has(value[0]) && !this.slots.has(value.join())) {
          const from = { node: value[0], side: "output", slot: value[1], input: "" } as const;
          const type = typeAt(this.schema, this.sheet, from) ?? this.typeOf(id, input);
          this.slots.set(value.join(), this.inputs.length);
          this.given[this.addInput(id, input, { type })] = value;
        }
      }
    }
  }

  /** A field with a public name is shown outside, so that the name still leads to it. */
  takeParameters(parameters: Workflow["parameters"]): void {
    for (const { node, input } of Object.values(parameters)) {
      const record = this.sheet.nodes[node];
      const value = record?.inputs[input];
      const key = `${node} ${input}`;
      if (this.inside.has(node) && value !== undefined && !isLink(value) && !this.slots.has(key)) {
        this.slots.set(key, this.inputs.length);
        const end = { type: this.typeOf(node, input), default: value as Json };
        this.given[this.addInput(node, input, end)] = value as Json;
        if (inputOf(this.schema.nodes[record?.class_type ?? ""], input)?.seed) {
          this.seeds = record?._meta.seed_control;
        }
      }
    }
  }

  /** Every socket that something outside is fed by becomes an output. */
  takeOutputs(): void {
    for (const [id, record] of Object.entries(this.sheet.nodes)) {
      for (const value of Object.values(record.inputs)) {
        if (isLink(value) && this.inside.has(value[0]) && !this.inside.has(id)) {
          this.addOutput(value);
        }
      }
    }
  }

  takeResults(results: Workflow["results"]): void {
    for (const { node, output } of Object.values(results)) {
      if (this.inside.has(node) && this.outputAt([node, output])) {
        this.addOutput([node, output]);
      }
    }
  }

  subgraph(name: string, frames: readonly string[]): Subgraph {
    const [entrance, exit] = this.edges;
    const nodes = Object.fromEntries(this.parts().map(([id, node]) => [id, this.part(id, node)]));
    const places = Object.values(nodes).map(({ _meta }) => _meta.position);
    const [, y] = middle(nodes);
    const left = Math.min(...places.map(([x]) => x)) - BESIDE_PX;
    const right = Math.max(...places.map(([x]) => x)) + BESIDE_PX;
    const given = [...this.leaving].map(([key, slot]) => [this.outputs[slot]?.name, linkOf(key)]);
    return {
      name,
      inputs: this.inputs,
      outputs: this.outputs,
      nodes: {
        ...nodes,
        [entrance]: edge(entranceOf(this.definition), {}, [left, y]),
        [exit]: edge(exitOf(this.definition), Object.fromEntries(given), [right, y]),
      },
      frames: this.sheet.frames.filter(({ id }) => frames.includes(id)),
    };
  }

  instance(): NodeRecord {
    const position = middle(Object.fromEntries(this.parts()));
    const seeds = this.seeds ? { seed_control: this.seeds } : {};
    const inputs = this.given;
    return { class_type: classOf(this.definition), inputs, _meta: { position, ...seeds } };
  }

  /** Take the parts off the sheet, and lead what they fed on from the instance. */
  rewire(draft: Sheet, instance: NodeId): void {
    for (const id of this.inside) {
      delete draft.nodes[id];
    }
    for (const node of Object.values(draft.nodes)) {
      for (const [input, value] of Object.entries(node.inputs)) {
        const slot = isLink(value) ? this.leaving.get(value.join()) : undefined;
        if (slot !== undefined) {
          node.inputs[input] = [instance, slot];
        }
      }
    }
  }

  /** Let public names lead to the instance. */
  rename(whole: Workflow, instance: NodeId): void {
    for (const [name, place] of Object.entries(whole.parameters)) {
      const end = this.inputs[this.slots.get(`${place.node} ${place.input}`) ?? -1];
      if (end) {
        Object.assign(place, { node: instance, input: end.name });
      } else if (this.inside.has(place.node)) {
        delete whole.parameters[name];
      }
    }
    for (const place of Object.values(whole.results)) {
      const slot = this.leaving.get([place.node, place.output].join());
      if (slot !== undefined) {
        Object.assign(place, { node: instance, output: slot });
      } else if (this.inside.has(headOf(this.sheet, place.node))) {
        place.node = runId([instance], place.node); // what a node shows that gives nothing on
      }
    }
  }

  private parts(): [NodeId, NodeRecord][] {
    return Object.entries(this.sheet.nodes).filter(([id]) => this.inside.has(id));
  }

  private part(id: NodeId, record: NodeRecord): NodeRecord {
    const inputs: NodeRecord["inputs"] = {};
    let values = record._meta.values;
    for (const [input, value] of Object.entries(record.inputs)) {
      const slot = this.slots.get(isLink(value) ? value.join() : `${id} ${input}`);
      inputs[input] = slot === undefined ? value : [this.edges[0], slot];
      if (slot !== undefined && !isLink(value)) {
        values = { ...values, [input]: value as Json };
      }
    }
    return { ...record, inputs, _meta: values ? { ...record._meta, values } : record._meta };
  }

  private addInput(node: NodeId, input: string, end: Omit<End, "name" | "title">): string {
    const spec = inputOf(this.schema.nodes[this.sheet.nodes[node]?.class_type ?? ""], input);
    const name = freshEnd(this.inputs, input);
    this.inputs.push({ name, title: spec?.title ?? input, ...end });
    return name;
  }

  private addOutput(link: Link): void {
    if (!this.leaving.has(link.join())) {
      const spec = this.outputAt(link);
      const [node, slot] = link;
      const end = { node, side: "output", slot, input: "" } as const;
      this.leaving.set(link.join(), this.outputs.length);
      this.outputs.push({
        name: freshEnd(this.outputs, spec?.name.toLowerCase() ?? "out"),
        title: spec?.title ?? "Out",
        type: typeAt(this.schema, this.sheet, end) ?? "*",
      });
    }
  }

  private outputAt([node, slot]: Link) {
    return this.schema.nodes[this.sheet.nodes[node]?.class_type ?? ""]?.outputs[slot];
  }

  private typeOf(node: NodeId, input: string): string {
    return typeAt(this.schema, this.sheet, { node, side: "input", slot: 0, input }) ?? "*";
  }
}

/** Where the one in the middle of these nodes stands, from left to right. */
export function middle(nodes: Readonly<Record<NodeId, NodeRecord>>): Position {
  const places = Object.values(nodes)
    .filter((record) => !isEdge(record))
    .map(({ _meta }) => _meta.position)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return places[Math.floor((places.length - 1) / 2)] ?? [0, 0];
}

/** Those of the chosen nodes that can go, with the reroutes on wires among them. */
function packable(sheet: Sheet, ids: readonly NodeId[]): NodeId[] {
  const chosen = ids.filter((id) => sheet.nodes[id] && !isEdge(sheet.nodes[id]));
  const between = [...upstream(sheet, chosen)].filter((id) => {
    const from = isReroute(sheet.nodes[id]) ? pastReroutes(sheet, [id, 0]) : undefined;
    return from !== undefined && chosen.includes(from[0]);
  });
  return [...new Set([...chosen, ...between])];
}

function edge(class_type: string, inputs: NodeRecord["inputs"], position: Position): NodeRecord {
  return { class_type, inputs, _meta: { position } };
}

function linkOf(key: string): Link {
  const at = key.lastIndexOf(",");
  return [key.slice(0, at), Number(key.slice(at + 1))];
}
