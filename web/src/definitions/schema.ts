/** The server's schema, checked where it enters the page. */

import * as z from "zod/mini";
import type { InputSpec, NodeSpec, OutputSpec, Schema } from "@/document/schema";

const number = z._default(z.nullable(z.number()), null);
const flag = z._default(z.boolean(), false);
const text = z._default(z.string(), "");

const input = z.object({
  name: z.string(),
  title: text,
  type: z.string(),
  required: z._default(z.boolean(), true),
  socket: flag,
  default: z._default(z.nullable(z.json()), null),
  // Bounds may be decimal strings where they exceed 2^53; as bounds a double will do.
  min: z.pipe(z.optional(z.unknown()), z.transform(bound)),
  max: z.pipe(z.optional(z.unknown()), z.transform(bound)),
  step: number,
  round: z.pipe(z.optional(z.unknown()), z.transform(bound)),
  choices: z._default(z.nullable(z.array(z.string())), null),
  folder: z._default(z.nullable(z.string()), null),
  upload: flag,
  multiline: flag,
  seed: flag,
  help: text,
});

const output = z.object({ name: z.string(), title: text, type: z.string() });

const node = z.object({
  title: text,
  category: text,
  help: text,
  version: z._default(z.number(), 1),
  effect: flag,
  inputs: z.array(input),
  outputs: z.array(output),
});

const type = z.object({ bases: z._default(z.array(z.string()), []), title: text, help: text });

const schema = z.object({
  digest: z.string(),
  types: z.record(z.string(), type),
  nodes: z.record(z.string(), node),
});

function bound(value: unknown): number | null {
  const read = typeof value === "string" ? Number(value) : value;
  return typeof read === "number" && Number.isFinite(read) ? read : null;
}

/** Check and complete what `GET /api/schema` answered. */
export function readSchema(json: unknown): Schema {
  const found = z.parse(schema, json);
  const nodes: Record<string, NodeSpec> = {};
  for (const [name, spec] of Object.entries(found.nodes)) {
    nodes[name] = {
      ...spec,
      name,
      title: cased(spec.title || spaced(name)),
      inputs: spec.inputs.map(
        (input): InputSpec => ({ ...input, title: cased(input.title || human(input.name)) }),
      ),
      outputs: spec.outputs.map(
        (output): OutputSpec => ({ ...output, title: cased(output.title || human(output.name)) }),
      ),
    };
  }
  const types = Object.entries(found.types).map(
    ([name, spec]) => [name, { ...spec, title: cased(spec.title || human(name)) }] as const,
  );
  return { digest: found.digest, types: Object.fromEntries(types), nodes };
}

/** Titles made from names have lost the capitals of acronyms. */
function cased(title: string): string {
  return title.replace(/\b(clip( [a-z])?|vae|t5xxl)\b/gi, (word) => word.toUpperCase());
}

function human(name: string): string {
  const words = name.replaceAll("_", " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function spaced(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
}
