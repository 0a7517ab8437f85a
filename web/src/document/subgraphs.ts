/**
 * Subgraphs: definitions, their instances, and the sheets one walks through.
 *
 * A definition is a sheet whose entrance and exit are nodes: what the entrance gives out is what an
 * instance is given, by place; what the exit takes in is what an instance gives, by name.
 */

import {
  type End,
  isLink,
  type NodeId,
  type NodeRecord,
  type Sheet,
  type Subgraph,
  type Workflow,
} from "@/document/types";

const INSTANCE = "subgraph:";
const ENTRANCE = "inputs:";
const EXIT = "outputs:";

/** Where one is: the instances that were opened, from the top. */
export type Path = readonly NodeId[];

export const classOf = (definition: string): string => INSTANCE + definition;
export const entranceOf = (definition: string): string => ENTRANCE + definition;
export const exitOf = (definition: string): string => EXIT + definition;

/** The definition that a node is an instance of. */
export function definitionOf(record: NodeRecord | undefined): string | undefined {
  return record?.class_type.startsWith(INSTANCE)
    ? record.class_type.slice(INSTANCE.length)
    : undefined;
}

export function isEntrance(record: NodeRecord | undefined): boolean {
  return record?.class_type.startsWith(ENTRANCE) ?? false;
}

export function isExit(record: NodeRecord | undefined): boolean {
  return record?.class_type.startsWith(EXIT) ?? false;
}

/** Whether a node is the entrance or the exit of a subgraph, which stay where they are. */
export function isEdge(record: NodeRecord | undefined): boolean {
  return isEntrance(record) || isExit(record);
}

/** The entrance or the exit of a definition. */
export function edgeOf(sheet: Sheet, is: typeof isEntrance): [NodeId, NodeRecord] | undefined {
  return Object.entries(sheet.nodes).find(([, record]) => is(record));
}

/** As much of a path as there still is. */
export function keptPath(workflow: Workflow, path: Path): Path {
  let sheet: Sheet = workflow;
  for (const [depth, id] of path.entries()) {
    const inner = workflow.subgraphs[definitionOf(sheet.nodes[id]) ?? ""];
    if (!inner) {
      return path.slice(0, depth);
    }
    sheet = inner;
  }
  return path;
}

/** The definition that lies open at the end of a path; undefined at the top. */
export function openAt(workflow: Workflow, path: Path): string | undefined {
  let definition: string | undefined;
  let sheet: Sheet = workflow;
  for (const id of path) {
    definition = definitionOf(sheet.nodes[id]);
    sheet = workflow.subgraphs[definition ?? ""] ?? sheet;
  }
  return definition;
}

/** The sheet at the end of a path. */
export function sheetAt(workflow: Workflow, path: Path): Sheet {
  const definition = openAt(workflow, path);
  return (definition === undefined ? undefined : workflow.subgraphs[definition]) ?? workflow;
}

/** What the server calls a node of the sheet at the end of a path. */
export function runId(path: Path, id: NodeId): NodeId {
  return [...path, id].join(":");
}

/** The node of a sheet that a node lies in, or is. */
export function headOf({ nodes }: Sheet, id: NodeId): NodeId {
  return id in nodes ? id : (id.split(":")[0] ?? id);
}

/** Where the node is that the server calls so, and what it is called there. */
export function placeOf(workflow: Workflow, id: NodeId): { path: Path; id: NodeId } {
  const path: NodeId[] = [];
  let sheet: Sheet = workflow;
  let rest = id;
  while (!(rest in sheet.nodes)) {
    const at = rest.indexOf(":");
    const inner = workflow.subgraphs[definitionOf(sheet.nodes[rest.slice(0, at)]) ?? ""];
    if (at < 0 || !inner) {
      return { path: [], id };
    }
    path.push(rest.slice(0, at));
    sheet = inner;
    rest = rest.slice(at + 1);
  }
  return { path, id: rest };
}

/** The record of the node that the server calls so. */
export function recordAt(workflow: Workflow, id: NodeId): NodeRecord | undefined {
  const place = placeOf(workflow, id);
  return sheetAt(workflow, place.path).nodes[place.id];
}

/** Every sheet of a workflow: the top one, then the inside of each definition. */
export function sheetsOf(workflow: Workflow): Sheet[] {
  return [workflow, ...Object.values(workflow.subgraphs)];
}

/** The nodes that are instances of a definition, with the sheet they stand on. */
export function* instancesOf(
  workflow: Workflow,
  definition: string,
): Generator<{ sheet: Sheet; id: NodeId; record: NodeRecord }> {
  for (const sheet of sheetsOf(workflow)) {
    for (const [id, record] of Object.entries(sheet.nodes)) {
      if (record.class_type === classOf(definition)) {
        yield { sheet, id, record };
      }
    }
  }
}

/** The definitions that these nodes need, directly or within others. */
export function neededBy(
  subgraphs: Readonly<Record<string, Subgraph>>,
  nodes: Readonly<Record<NodeId, NodeRecord>>,
): Set<string> {
  const found = new Set<string>();
  const waiting = [nodes];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const record of Object.values(next)) {
      const definition = definitionOf(record);
      const inner = definition === undefined ? undefined : subgraphs[definition];
      if (definition !== undefined && inner && !found.has(definition)) {
        found.add(definition);
        waiting.push(inner.nodes);
      }
    }
  }
  return found;
}

/** Whether an instance of a definition may stand on the sheet at the end of a path. */
export function mayStand(workflow: Workflow, path: Path, definition: string): boolean {
  const open = openAt(workflow, path);
  const inside = workflow.subgraphs[definition];
  return (
    open === undefined ||
    (open !== definition && !(inside && neededBy(workflow.subgraphs, inside.nodes).has(open)))
  );
}

/** Drop the definitions that no node needs any more. */
export function sweep(whole: Workflow): void {
  const needed = neededBy(whole.subgraphs, whole.nodes);
  for (const id of Object.keys(whole.subgraphs)) {
    if (!needed.has(id)) {
      delete whole.subgraphs[id];
    }
  }
}

/** A name that none of these ends has: the wish itself, or with a number. */
export function freshEnd(ends: readonly End[], wish: string): string {
  const taken = new Set(ends.map(({ name }) => name));
  let name = wish;
  for (let count = 2; taken.has(name); count += 1) {
    name = `${wish}_${count}`;
  }
  return name;
}

/** The smallest name that no definition has yet. */
export function freshDefinition(taken: ReadonlySet<string>): string {
  let number = 1;
  while (taken.has(`s${number}`)) {
    number += 1;
  }
  return `s${number}`;
}

/** The inputs of a sheet that a source feeds. */
export function* fedBy(
  sheet: Sheet,
  source: NodeId,
  slot?: number,
): Generator<{ target: NodeId; input: string; slot: number }> {
  for (const [target, { inputs }] of Object.entries(sheet.nodes)) {
    for (const [input, value] of Object.entries(inputs)) {
      if (isLink(value) && value[0] === source && (slot === undefined || value[1] === slot)) {
        yield { target, input, slot: value[1] };
      }
    }
  }
}
