/** What can be written into a prompt: learnt words, what LoRAs listen to, and the words a model knows. */

import * as z from "zod/mini";
import type { Workbench } from "@/app/workbench";
import type { Schema } from "@/document/schema";
import type { NodeId, Workflow } from "@/document/types";
import { upstream } from "@/document/typing";
import type { Api } from "@/runtime/api";

const tokenizer = z.looseObject({
  model: z.looseObject({ type: z.literal("WordLevel"), vocab: z.record(z.string(), z.number()) }),
});

const trained = z.looseObject({
  "modelspec.trigger_phrase": z.optional(z.string()),
  ss_tag_frequency: z.optional(z.string()),
});

const frequencies = z.record(z.string(), z.record(z.string(), z.number()));

const MOST_TRIGGERS = 3;

/** The checkpoint whose text encoder reads this prompt: the first before or behind it. */
export function checkpointOf(workflow: Workflow, schema: Schema, node: NodeId): string | undefined {
  for (const id of [...upstream(workflow, [node]), ...Object.keys(workflow.nodes)]) {
    const record = workflow.nodes[id];
    const input = schema.nodes[record?.class_type ?? ""]?.inputs.find(
      ({ folder }) => folder === "checkpoints",
    );
    const value = input && record?.inputs[input.name];
    if (typeof value === "string") {
      return value;
    }
  }
  return undefined;
}

/** The words that a tokenizer of whole words knows; undefined for any other. */
export function vocabularyIn(metadata: unknown): ReadonlySet<string> | undefined {
  const told = z.safeParse(z.looseObject({ "safelight.tokenizer": z.string() }), metadata);
  if (!told.success) {
    return undefined;
  }
  try {
    const found = z.safeParse(tokenizer, JSON.parse(told.data["safelight.tokenizer"]));
    return found.success
      ? new Set(Object.keys(found.data.model.vocab).filter((word) => !word.startsWith("<")))
      : undefined;
  } catch {
    return undefined;
  }
}

/** What a LoRA was trained to listen to, as far as its file tells. */
export function triggersIn(metadata: unknown): string | undefined {
  const told = z.safeParse(trained, metadata);
  if (!told.success) {
    return undefined;
  }
  const { "modelspec.trigger_phrase": phrase, ss_tag_frequency: counted } = told.data;
  if (phrase) {
    return phrase;
  }
  try {
    const tags = Object.values(z.parse(frequencies, JSON.parse(counted ?? "{}")));
    const best = tags.flatMap(Object.entries<number>).sort(([, a], [, b]) => b - a);
    return (
      best
        .slice(0, MOST_TRIGGERS)
        .map(([tag]) => tag.trim())
        .join(", ") || undefined
    );
  } catch {
    return undefined;
  }
}

/** What the server says can be written. */
export interface Words {
  embeddings: readonly string[];
  loras: readonly string[];
  /** Undefined where the model's words cannot be listed. */
  vocabulary: ReadonlySet<string> | undefined;
}

export const NO_WORDS: Words = { embeddings: [], loras: [], vocabulary: undefined };

/** Ask the server; whatever it does not answer is left out, for one can write without. */
export async function wordsFor(workbench: Workbench, node: NodeId): Promise<Words> {
  const { api, document, definitions } = workbench;
  const checkpoint = checkpointOf(document.workflow(), definitions.getState(), node);
  const [embeddings, loras, metadata] = await Promise.all([
    api.embeddings().catch(() => []),
    api.models("loras").catch(() => []),
    checkpoint === undefined ? null : api.metadata("checkpoints", checkpoint).catch(() => null),
  ]);
  return { embeddings, loras, vocabulary: vocabularyIn(metadata) };
}

/** What to write for a LoRA: its trigger words, or else its name in words. */
export async function writtenFor(api: Pick<Api, "metadata">, lora: string): Promise<string> {
  const found = triggersIn(await api.metadata("loras", lora).catch(() => null));
  const name = lora.split("/").at(-1) ?? lora;
  return found ?? name.replace(/\.\w+$/, "").replace(/[_-]+/g, " ");
}
