/** Which sockets fit together, and in plain words why the others do not. */

import { inputOf, type Schema, typeTitle } from "@/document/schema";
import { isLink, type NodeId, titleOf, type Workflow } from "@/document/types";

/** One end of a wire being drawn. */
export interface SocketEnd {
  node: NodeId;
  /** `output`: the slot gives; `input`: the named input takes. */
  side: "output" | "input";
  slot: number;
  input: string;
}

const ANY = "*";

/** Whether a value of type `given` may enter an input of type `wanted`. */
export function fits(schema: Schema, given: string, wanted: string): boolean {
  return (
    given === wanted ||
    given === ANY ||
    wanted === ANY ||
    (schema.types[given]?.bases.includes(wanted) ?? false)
  );
}

const given = new WeakMap<Schema, ReadonlySet<string>>();

/** Whether any node here gives something that an input of type `wanted` takes. */
export function canBeFed(schema: Schema, wanted: string): boolean {
  const types =
    given.get(schema) ??
    new Set(Object.values(schema.nodes).flatMap((spec) => spec.outputs.map(({ type }) => type)));
  given.set(schema, types);
  return [...types].some((type) => fits(schema, type, wanted));
}

/** The wire type at a socket; undefined when the node's class is unknown. */
export function typeAt(schema: Schema, workflow: Workflow, end: SocketEnd): string | undefined {
  const spec = schema.nodes[workflow.nodes[end.node]?.class_type ?? ""];
  return end.side === "output" ? spec?.outputs[end.slot]?.type : inputOf(spec, end.input)?.type;
}

/** Why these two sockets cannot be joined, or undefined when they can. */
export function whyNot(
  schema: Schema,
  workflow: Workflow,
  one: SocketEnd,
  other: SocketEnd,
): string | undefined {
  if (one.side === other.side) {
    return one.side === "output" ? "Both ends give a value." : "Both ends take a value.";
  }
  const [from, to] = one.side === "output" ? [one, other] : [other, one];
  if (from.node === to.node) {
    return "A node cannot feed itself.";
  }
  const given = typeAt(schema, workflow, from);
  const wanted = typeAt(schema, workflow, to);
  if (given === undefined || wanted === undefined) {
    return "This node's class is not known here.";
  }
  if (!fits(schema, given, wanted)) {
    return `Wants ${typeTitle(schema, wanted)}, not ${typeTitle(schema, given)}.`;
  }
  if (dependsOn(workflow, from.node, to.node)) {
    return `This would make a loop: ${nameOf(schema, workflow, from.node)} already depends on ${nameOf(schema, workflow, to.node)}.`;
  }
  return undefined;
}

/** Whether `node` needs, directly or through others, the result of `source`. */
export function dependsOn(workflow: Workflow, node: NodeId, source: NodeId): boolean {
  return upstream(workflow, [node]).has(source);
}

/** The given nodes and all that they need. */
export function upstream(workflow: Workflow, ids: readonly NodeId[]): Set<NodeId> {
  const seen = new Set<NodeId>();
  const waiting = [...ids];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.has(id)) {
      seen.add(id);
      const inputs = workflow.nodes[id]?.inputs ?? {};
      waiting.push(
        ...Object.values(inputs)
          .filter(isLink)
          .map(([source]) => source),
      );
    }
  }
  return seen;
}

function nameOf(schema: Schema, workflow: Workflow, id: NodeId): string {
  const record = workflow.nodes[id];
  return record ? titleOf(record, schema.nodes[record.class_type]?.title) : id;
}
