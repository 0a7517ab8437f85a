/** What stands in the way of a run, found before it is asked for. */

import { isReroute } from "@/document/reroutes";
import { inputOf, type NodeSpec, type Schema, typeTitle } from "@/document/schema";
import { definitionOf, edgeOf, isEdge, isExit, runId } from "@/document/subgraphs";
import {
  isLink,
  type Link,
  type NodeId,
  type NodeRecord,
  type Sheet,
  titleOf,
  type Workflow,
} from "@/document/types";
import { fits, typeAt, upstream } from "@/document/typing";
import { t } from "@/strings/strings";

export interface Problem {
  /** As the server calls it: a part of a subgraph by the whole way to it. */
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
  const effects = effectsOf(workflow, schema).filter(
    (id) => targets?.some((target) => target === id || target.startsWith(`${id}:`)) ?? true,
  );
  const unknown = Object.keys(workflow.nodes).filter(
    (id) => !((workflow.nodes[id]?.class_type ?? "") in schema.nodes),
  );
  if (effects.length === 0 && unknown.length === 0) {
    return [{ node: null, input: null, message: t.refusals.noEffect }];
  }
  const context = { workflow, schema };
  return within(context, workflow, effects.length > 0 ? effects : unknown, []);
}

interface Context {
  workflow: Workflow;
  schema: Schema;
}

/** The problems of what these nodes need, on the sheet at the end of a path. */
function within(
  context: Context,
  sheet: Sheet,
  ids: readonly NodeId[],
  path: readonly NodeId[],
  around: readonly string[] = [],
): Problem[] {
  const { workflow, schema } = context;
  return [...upstream(sheet, ids)].flatMap((id) => {
    const own = validateNode(sheet, schema, id).map((it) => ({ ...it, node: runId(path, id) }));
    const definition = definitionOf(sheet.nodes[id]) ?? "";
    const inner = takesPart(sheet, id) ? workflow.subgraphs[definition] : undefined;
    if (!inner || around.includes(definition)) {
      return own;
    }
    const [exit = ""] = edgeOf(inner, isExit) ?? [];
    const needed = [exit, ...effectsOf(inner, schema)];
    return [...own, ...within(context, inner, needed, [...path, id], [...around, definition])];
  });
}

/** The nodes of a sheet that show or save something when it runs. */
function effectsOf(sheet: Sheet, schema: Schema): NodeId[] {
  return Object.keys(sheet.nodes).filter(
    (id) => schema.nodes[sheet.nodes[id]?.class_type ?? ""]?.effect && takesPart(sheet, id),
  );
}

function validateNode(sheet: Sheet, schema: Schema, id: NodeId): Problem[] {
  const record = sheet.nodes[id];
  if (!record || isEdge(record) || isReroute(record) || !takesPart(sheet, id)) {
    return [];
  }
  const spec = schema.nodes[record.class_type];
  if (!spec) {
    return [{ node: id, input: null, message: t.refusals.noClass(record.class_type) }];
  }
  const missing = spec.inputs
    .filter((input) => input.socket && input.required && !isLink(record.inputs[input.name]))
    .map((input) => ({
      node: id,
      input: input.name,
      message: t.refusals.needs(
        titleOf(record, spec.title),
        typeTitle(schema, input.type),
        input.title,
      ),
    }));
  return [...missing, ...validateWires(sheet, schema, id, record, spec)];
}

/** Muted and bypassed nodes are not run, so nothing is asked of them. */
function takesPart(sheet: Sheet, id: NodeId): boolean {
  const mode = sheet.nodes[id]?._meta.mode;
  return mode === undefined || mode === "always";
}

function validateWires(
  sheet: Sheet,
  schema: Schema,
  id: NodeId,
  record: NodeRecord,
  spec: NodeSpec,
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(record.inputs)) {
    const input = inputOf(spec, name);
    const message =
      input && isLink(value) ? wireProblem(sheet, schema, value, input.type) : undefined;
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
  sheet: Sheet,
  schema: Schema,
  [source, slot]: Link,
  wanted: string,
): string | undefined {
  const from = sheet.nodes[source];
  if (!from) {
    return t.refusals.noSource(source);
  }
  const spec = schema.nodes[from.class_type];
  const output = spec?.outputs[slot];
  if (!spec) {
    return undefined; // the unknown class is reported at its own node
  }
  if (!output) {
    return t.refusals.noOutput(titleOf(from, spec.title), slot);
  }
  const given = typeAt(schema, sheet, { node: source, side: "output", slot, input: "" });
  if (given !== undefined && !fits(schema, given, wanted)) {
    return `wants ${typeTitle(schema, wanted)}, and ${titleOf(from, spec.title)} gives ${typeTitle(schema, given)}.`;
  }
  return undefined;
}
