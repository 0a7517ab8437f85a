/** What came of a workflow of another program: what had to be guessed, and what is not here. */

import * as z from "zod/mini";
import type { Schema } from "@/document/schema";
import type { Json, Workflow } from "@/document/types";

export interface MissingFile {
  name: string;
  folder: string;
  /** As the workflow tells it, to find the same file again. */
  hash: string | undefined;
}

export interface Report {
  name: string;
  guesses: readonly string[];
  /** Classes of nodes that are not installed. */
  classes: readonly string[];
  files: readonly MissingFile[];
}

const model = z.looseObject({ name: z.string(), hash: z.optional(z.string()) });

const models = z.looseObject({
  properties: z.optional(z.looseObject({ models: z.optional(z.array(model)) })),
});

const comfy = z.looseObject({ nodes: z.array(z.unknown()), links: z.array(z.unknown()) });

/** Whether this is what ComfyUI's canvas saves. */
export function isComfy(json: Json): boolean {
  return z.safeParse(comfy, json).success;
}

/** The hashes that a workflow of ComfyUI tells of its models, by their names. */
function hashesIn(json: Json): Map<string, string> {
  const { nodes = [] } = z.safeParse(comfy, json).data ?? {};
  return new Map(
    nodes.flatMap((node) => {
      const told = z.safeParse(models, node).data?.properties?.models ?? [];
      return told.flatMap(({ name, hash }) => (hash ? [[name, hash] as const] : []));
    }),
  );
}

/** What a workflow needs and this server does not have. */
export function missingIn(
  workflow: Workflow,
  schema: Schema,
  from: Json = null,
): Pick<Report, "classes" | "files"> {
  const hashes = hashesIn(from);
  const sheets = [workflow.nodes, ...Object.values(workflow.subgraphs).map(({ nodes }) => nodes)];
  const records = sheets.flatMap((nodes) => Object.values(nodes));
  const known = (name: string) => name in schema.nodes || name in workflow.subgraphs;
  const classes = records.map(({ class_type }) => class_type).filter((name) => !known(name));
  const files = records.flatMap(({ class_type, inputs }) =>
    (schema.nodes[class_type]?.inputs ?? []).flatMap(({ name, folder, choices, upload }) => {
      const value = inputs[name];
      const missing = folder !== null && !upload && typeof value === "string" && value !== "";
      return missing && !choices?.includes(value)
        ? [{ name: value, folder, hash: hashes.get(value) }]
        : [];
    }),
  );
  const unique = new Map(files.map((file) => [`${file.folder}/${file.name}`, file]));
  return { classes: [...new Set(classes)].sort(), files: [...unique.values()] };
}
