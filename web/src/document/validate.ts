/** What stands in the way of a run, found before it is asked for. */

import { inputOf, type NodeSpec, type Schema, typeTitle } from "@/document/schema";
import {
  isLink,
  type Link,
  type NodeId,
  type NodeRecord,
  titleOf,
  type Workflow,
} from "@/document/types";
import { fits, upstream } from "@/document/typing";

export interface Problem {
  node: NodeId | null;
  input: string | null;
  message: string;
}

/** All problems of the nodes that a run would need: of all of it, or only up to the targets. */
export function validate(
  workflow: Workflow,
  schema: Schema,
  targets?: readonly NodeId[],
): Problem[] {
  const effects = Object.keys(workflow.nodes).filter(
    (id) =>
      schema.nodes[workflow.nodes[id]?.class_type ?? ""]?.effect &&
      takesPart(workflow, id) &&
      (targets?.includes(id) ?? true),
  );
  const unknown = Object.keys(workflow.nodes).filter(
    (id) => !((workflow.nodes[id]?.class_type ?? "") in schema.nodes),
  );
  if (effects.length === 0 && unknown.length === 0) {
    const message =
      "Nothing here shows or saves a picture. Add a Save Image or Preview Image node.";
    return [{ node: null, input: null, message }];
  }
  const problems: Problem[] = [];
  for (const id of upstream(workflow, effects.length > 0 ? effects : unknown)) {
    problems.push(...validateNode(workflow, schema, id));
  }
  return problems;
}

function validateNode(workflow: Workflow, schema: Schema, id: NodeId): Problem[] {
  const record = workflow.nodes[id];
  if (!record || !takesPart(workflow, id)) {
    return [];
  }
  const spec = schema.nodes[record.class_type];
  if (!spec) {
    return [
      { node: id, input: null, message: `No node class is called ${record.class_type} here.` },
    ];
  }
  const missing = spec.inputs
    .filter((input) => input.socket && input.required && !isLink(record.inputs[input.name]))
    .map((input) => ({
      node: id,
      input: input.name,
      message: `${titleOf(record, spec.title)} needs ${wish(typeTitle(schema, input.type), input.title)}.`,
    }));
  return [...missing, ...validateWires(workflow, schema, id, record, spec)];
}

/** Muted and bypassed nodes are not run, so nothing is asked of them. */
function takesPart(workflow: Workflow, id: NodeId): boolean {
  const mode = workflow.nodes[id]?._meta.mode;
  return mode === undefined || mode === "always";
}

function validateWires(
  workflow: Workflow,
  schema: Schema,
  id: NodeId,
  record: NodeRecord,
  spec: NodeSpec,
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(record.inputs)) {
    const input = inputOf(spec, name);
    const message =
      input && isLink(value) ? wireProblem(workflow, schema, value, input.type) : undefined;
    if (message) {
      problems.push({
        node: id,
        input: name,
        message: `${titleOf(record, spec.title)}: ${message}`,
      });
    }
  }
  return problems;
}

function wireProblem(
  workflow: Workflow,
  schema: Schema,
  [source, slot]: Link,
  wanted: string,
): string | undefined {
  const from = workflow.nodes[source];
  if (!from) {
    return `the wire comes from node ${source}, which does not exist.`;
  }
  const spec = schema.nodes[from.class_type];
  const output = spec?.outputs[slot];
  if (!spec) {
    return undefined; // the unknown class is reported at its own node
  }
  if (!output) {
    return `${titleOf(from, spec.title)} has no output ${slot}.`;
  }
  if (!fits(schema, output.type, wanted)) {
    return `wants ${typeTitle(schema, wanted)}, and ${titleOf(from, spec.title)} gives ${typeTitle(schema, output.type)}.`;
  }
  return undefined;
}

function wish(type: string, input: string): string {
  const article = /^[aeiou]/i.test(type) ? "an" : "a";
  return type === input ? `${article} ${type}` : `${article} ${type} at “${input}”`;
}
