/**
 * What the server knows, and what a document adds to it: a class for each of its subgraphs, for their
 * entrances and exits, and for reroutes.  So that all that asks for a class need not know of them.
 */

import { isReroute, REROUTE, REROUTE_INPUT } from "@/document/reroutes";
import {
  type InputSpec,
  inputOf,
  type NodeSpec,
  type OutputSpec,
  type Schema,
  showsPictures,
} from "@/document/schema";
import {
  classOf,
  definitionOf,
  edgeOf,
  entranceOf,
  exitOf,
  fedBy,
  isEntrance,
} from "@/document/subgraphs";
import type { End, NodeId, Subgraph, Workflow } from "@/document/types";
import { t } from "@/strings/strings";

type Subgraphs = Workflow["subgraphs"];

/** The socket of an entrance or exit from which a new input or output is drawn. */
export const NEW_END = "+";

/** Extends a schema; what is as it was is the same object. */
export type Extend = (schema: Schema, subgraphs: Subgraphs) => Schema;

/** An extension that remembers its last answer. */
export function createExtend(): Extend {
  let base: Schema | undefined;
  let from: Subgraphs | undefined;
  let last: Schema | undefined;
  return (schema, subgraphs) => {
    if (last && base === schema && from === subgraphs) {
      return last;
    }
    const fresh = { ...classesOf(schema, subgraphs), [REROUTE]: REROUTE_SPEC };
    const nodes: Record<string, NodeSpec> = { ...schema.nodes };
    let changed = base !== schema;
    for (const [name, spec] of Object.entries(fresh)) {
      const old = last?.nodes[name];
      const same = old !== undefined && JSON.stringify(old) === JSON.stringify(spec);
      nodes[name] = same ? old : spec;
      changed ||= !same;
    }
    changed ||= Object.keys(nodes).length !== Object.keys(last?.nodes ?? {}).length;
    [base, from] = [schema, subgraphs];
    last = changed || !last ? { ...schema, nodes } : last;
    return last;
  };
}

/** The input of a node that an input of a subgraph feeds first, however deep it lies. */
export function inputBehind(
  schema: Schema,
  subgraphs: Subgraphs,
  definition: string,
  slot: number,
  around: ReadonlySet<string> = new Set(),
): InputSpec | undefined {
  const inner = subgraphs[definition];
  const [entrance] = (inner && edgeOf(inner, isEntrance)) ?? [];
  if (!inner || entrance === undefined || around.has(definition)) {
    return undefined;
  }
  for (const { target, input } of ends(inner, entrance, slot)) {
    const record = inner.nodes[target];
    const nested = definitionOf(record);
    const at = subgraphs[nested ?? ""]?.inputs.findIndex(({ name }) => name === input) ?? -1;
    const found =
      nested === undefined
        ? inputOf(schema.nodes[record?.class_type ?? ""], input)
        : inputBehind(schema, subgraphs, nested, at, new Set([...around, definition]));
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** The inputs of nodes that a source feeds, past reroutes. */
function* ends(
  sheet: Subgraph,
  source: NodeId,
  slot: number,
  passed = new Set<NodeId>(),
): Generator<{ target: NodeId; input: string }> {
  for (const end of fedBy(sheet, source, slot)) {
    if (!isReroute(sheet.nodes[end.target])) {
      yield end;
    } else if (!passed.has(end.target)) {
      passed.add(end.target);
      yield* ends(sheet, end.target, 0, passed);
    }
  }
}

function classesOf(schema: Schema, subgraphs: Subgraphs): Record<string, NodeSpec> {
  const specs: Record<string, NodeSpec> = {};
  for (const [id, definition] of Object.entries(subgraphs)) {
    const inputs = definition.inputs.map((end, slot) =>
      inputFor(end, inputBehind(schema, subgraphs, id, slot)),
    );
    const outputs = definition.outputs.map(outputFor);
    const inside = specsWithin(schema, subgraphs, id);
    specs[classOf(id)] = {
      ...spec(classOf(id), definition.name, inputs, outputs),
      category: "Subgraphs",
      help: `A subgraph of ${inside.length === 1 ? "1 node" : `${inside.length} nodes`}.`,
      effect: inside.some(({ effect }) => effect),
      pictures: inside.some(showsPictures),
    };
    const more = { name: NEW_END, title: t.sheet.newInput, type: "*" };
    const given = definition.inputs.map((end, slot) => ({
      ...outputFor(end),
      title: inputs[slot]?.title ?? end.name,
    }));
    specs[entranceOf(id)] = edge(entranceOf(id), "Inputs", [], [...given, more]);
    const taken = [...definition.outputs, { name: NEW_END, title: t.sheet.newOutput, type: "*" }];
    specs[exitOf(id)] = edge(
      exitOf(id),
      "Outputs",
      taken.map((end) => socket(end.name, end.title ?? end.name, end.type, false)),
      [],
    );
  }
  return specs;
}

/** The classes of all nodes in a definition, those within others too. */
function specsWithin(
  schema: Schema,
  subgraphs: Subgraphs,
  definition: string,
  around: ReadonlySet<string> = new Set(),
): NodeSpec[] {
  if (around.has(definition)) {
    return [];
  }
  const within = new Set([...around, definition]);
  return Object.values(subgraphs[definition]?.nodes ?? {}).flatMap((record) => {
    const nested = definitionOf(record);
    return nested === undefined
      ? (schema.nodes[record.class_type] ?? [])
      : specsWithin(schema, subgraphs, nested, within);
  });
}

function inputFor(end: End, behind: InputSpec | undefined): InputSpec {
  const title = end.title ?? behind?.title ?? end.name;
  if (!behind || behind.socket) {
    return socket(end.name, title, end.type, behind?.required ?? false);
  }
  return { ...behind, name: end.name, title, default: end.default ?? behind.default };
}

function outputFor({ name, title, type }: End): OutputSpec {
  return { name, title: title ?? name, type };
}

function socket(name: string, title: string, type: string, required: boolean): InputSpec {
  return {
    name,
    title,
    type,
    required,
    socket: true,
    default: null,
    min: null,
    max: null,
    step: null,
    round: null,
    choices: null,
    folder: null,
    upload: false,
    multiline: false,
    seed: false,
    help: "",
  };
}

function spec(
  name: string,
  title: string,
  inputs: readonly InputSpec[],
  outputs: readonly OutputSpec[],
): NodeSpec {
  return { name, title, category: "", help: "", version: 1, effect: false, inputs, outputs };
}

/** A class that is on the canvas by itself, and not to be found among those to be added. */
function edge(...parts: Parameters<typeof spec>): NodeSpec {
  return { ...spec(...parts), hidden: true };
}

const REROUTE_SPEC = edge(
  REROUTE,
  "Reroute",
  [socket(REROUTE_INPUT, "In", "*", false)],
  [{ name: "*", title: "Out", type: "*" }],
);
