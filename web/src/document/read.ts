/**
 * From any JSON somebody opens to a workflow, or a sentence why not.
 *
 * Accepted: a Safelight document and a bare API prompt (`{id: {class_type, inputs}}`), which has no
 * positions and is laid out afterwards.
 */

import * as z from "zod/mini";
import { freshId } from "@/document/commands";
import { freshName } from "@/document/frames";
import { parseJson } from "@/document/numbers";
import { edgeOf, entranceOf, exitOf, isEntrance, isExit } from "@/document/subgraphs";
import {
  emptyWorkflow,
  type Frame,
  type Json,
  type NodeRecord,
  type Position,
  type Subgraph,
  type Workflow,
} from "@/document/types";
import { t } from "@/strings/strings";

/** A file that cannot become a workflow; the message is for the person who opened it. */
export class Unreadable extends Error {}

export interface Opened {
  workflow: Workflow;
  /** Nodes that came without a place on the canvas. */
  unplaced: string[];
  /** Definitions of subgraphs with such nodes. */
  unplacedIn: string[];
}

const position = z.tuple([z.number(), z.number()]);

const meta = z.looseObject({
  title: z.optional(z.string()),
  position: z.optional(z.nullable(position)),
  mode: z.optional(z.string()),
  collapsed: z.optional(z.boolean()),
  seed_control: z.optional(z.enum(["fixed", "randomize", "increment"])),
  values: z.optional(z.record(z.string(), z.json())),
});

const node = z.looseObject({
  class_type: z.string(),
  version: z.optional(z.number()),
  inputs: z.optional(z.record(z.string(), z.json())),
  _meta: z.optional(meta),
});

const nodes = z.record(z.string(), node);

const frame = z.looseObject({
  id: z.optional(z.string()),
  title: z._default(z.string(), ""),
  position,
  size: z.tuple([z.number(), z.number()]),
  text: z.optional(z.string()),
});

const end = z.looseObject({
  name: z.string(),
  title: z.optional(z.string()),
  type: z._default(z.string(), "*"),
  default: z.optional(z.json()),
});

const subgraph = z.looseObject({
  name: z.optional(z.string()),
  inputs: z.optional(z.array(end)),
  outputs: z.optional(z.array(end)),
  nodes,
  frames: z.optional(z.array(frame)),
});

const parameter = z.object({
  node: z.string(),
  input: z.string(),
  label: z.optional(z.string()),
});

const document = z.looseObject({
  safelight: z.literal(1),
  id: z.optional(z.string()),
  name: z.optional(z.string()),
  nodes,
  frames: z.optional(z.array(frame)),
  subgraphs: z.optional(z.record(z.string(), subgraph)),
  parameters: z.optional(z.record(z.string(), parameter)),
  results: z.optional(z.record(z.string(), z.object({ node: z.string(), output: z.number() }))),
});

/** Parse the text of a file. */
export function readText(text: string, id: string): Opened {
  let json: Json;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw new Unreadable(t.refusals.json, { cause });
  }
  return readWorkflow(json, id);
}

/** Recognise and check parsed JSON; `id` names the document when it has no name of its own. */
export function readWorkflow(json: Json, id: string): Opened {
  if (!isObject(json)) {
    throw new Unreadable(t.refusals.object);
  }
  if ("safelight" in json) {
    return readDocument(json, id);
  }
  if (Array.isArray(json.nodes) && Array.isArray(json.links)) {
    throw new Unreadable(t.refusals.comfy);
  }
  const values = Object.values(json);
  if (values.length > 0 && values.every((value) => isObject(value) && "class_type" in value)) {
    return place({ ...emptyWorkflow(id), nodes: {} }, checked(nodes, json));
  }
  throw new Unreadable(t.refusals.neither);
}

function readDocument(json: Json, id: string): Opened {
  if (isObject(json) && json.safelight !== 1) {
    throw new Unreadable(t.refusals.version(String(json.safelight)));
  }
  const found = checked(document, json);
  const sheet = {
    ...emptyWorkflow(found.id ?? id, found.name),
    ...found,
    id: found.id ?? id,
    nodes: {},
    frames: named(found.frames ?? []),
    subgraphs: {},
  };
  const opened = place({ ...sheet, name: found.name ?? "Untitled" } as Workflow, found.nodes);
  for (const [name, inner] of Object.entries(found.subgraphs ?? {})) {
    const { nodes: records, unplaced } = placed(inner.nodes);
    opened.workflow.subgraphs[name] = withEdges(name, {
      ...inner,
      name: inner.name ?? name,
      inputs: inner.inputs ?? [],
      outputs: inner.outputs ?? [],
      nodes: records,
      frames: named(inner.frames ?? []),
    });
    if (unplaced.length > 0) {
      opened.unplacedIn.push(name);
    }
  }
  return opened;
}

/** A definition with an entrance and an exit, even if its file lacks them. */
function withEdges(name: string, inner: Subgraph): Subgraph {
  const nodes = { ...inner.nodes };
  const edges = [
    ["in", isEntrance, entranceOf(name), -320],
    ["out", isExit, exitOf(name), 960],
  ] as const;
  for (const [wish, is, class_type, x] of edges) {
    if (!edgeOf(inner, is)) {
      const id = wish in nodes ? freshId({ ...inner, nodes }) : wish;
      nodes[id] = { class_type, inputs: {}, _meta: { position: [x, 0] } };
    }
  }
  return { ...inner, nodes };
}

/** Frames with an id of their own each; files from elsewhere have none. */
function named(frames: readonly z.infer<typeof frame>[]): Frame[] {
  const taken = new Set(frames.flatMap(({ id }) => id ?? []));
  const seen = new Set<string>();
  return frames.map((record) => {
    const own = record.id !== undefined && !seen.has(record.id);
    const id = own && record.id !== undefined ? record.id : freshName(taken);
    taken.add(id);
    seen.add(id);
    return { ...record, id };
  });
}

function checked<T extends z.ZodMiniType>(shape: T, json: Json): z.infer<T> {
  const result = z.safeParse(shape, json);
  if (result.success) {
    return result.data;
  }
  const issue = result.error.issues[0];
  const path = issue?.path.join(" › ") || t.refusals.file;
  throw new Unreadable(t.refusals.malformed(path, issue?.message ?? t.refusals.unknown));
}

function place(sheet: Workflow, found: z.infer<typeof nodes>): Opened {
  const { nodes: records, unplaced } = placed(found);
  return { workflow: { ...sheet, nodes: records }, unplaced, unplacedIn: [] };
}

function placed(found: z.infer<typeof nodes>): {
  nodes: Record<string, NodeRecord>;
  unplaced: string[];
} {
  const unplaced: string[] = [];
  const records: Record<string, NodeRecord> = {};
  for (const [id, record] of Object.entries(found)) {
    const at: Position | null | undefined = record._meta?.position;
    if (!at) {
      unplaced.push(id);
    }
    records[id] = {
      ...record,
      inputs: (record.inputs ?? {}) as NodeRecord["inputs"],
      _meta: { ...record._meta, position: at ?? [0, 0] },
    };
  }
  return { nodes: records, unplaced };
}

function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
