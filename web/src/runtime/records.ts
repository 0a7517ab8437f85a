/** What the server tells about jobs, waiting and done, as the canvas shows it. */

import * as z from "zod/mini";
import type { Json } from "@/document/types";
import { type ImageRef, shownOutput } from "@/runtime/shapes";
import { t } from "@/strings/strings";

/** A job in a few words. */
export interface JobText {
  id: string;
  /** What was asked for. */
  prompt: string;
  seed: string | null;
  /** The document it was posted from, where that is known. */
  workflow: string | null;
  /** Every text among its settings, to be searched. */
  words: string;
}

/** A job that has ended, with what it made. */
export interface JobRecord extends JobText {
  images: readonly (ImageRef & { node: string })[];
  /** When it ended, in ms since 1970; null where nothing tells. */
  at: number | null;
  /** Why it made nothing: it failed or was cancelled. */
  trouble: string | null;
}

/** A job that waits. */
export interface Waiting extends JobText {
  /** Smaller numbers run first. */
  number: number;
}

const inputs = z.looseObject({});
const nodes = z.record(z.string(), z.looseObject({ inputs: z._default(inputs, {}) }));

const workflow = z.looseObject({
  id: z.optional(z.string()),
  parameters: z.optional(
    z.looseObject({ prompt: z.optional(z.object({ node: z.string(), input: z.string() })) }),
  ),
});

const extra = z.looseObject({
  extra_pnginfo: z.optional(z.looseObject({ workflow: z.optional(z.unknown()) })),
});

const item = z.tuple([z.number(), z.string(), nodes, extra], z.unknown());
type Item = z.infer<typeof item>;

const queue = z.object({ queue_running: z.array(item), queue_pending: z.array(item) });

const entry = z.object({
  prompt: item,
  outputs: z.record(z.string(), shownOutput),
  status: z.object({ messages: z.array(z.tuple([z.string(), z.looseObject({})])) }),
});

const queueState = z.looseObject({ paused: z._default(z.boolean(), false) });

export interface Queue {
  running: JobText[];
  pending: Waiting[];
  /** Whether what waits is held back. */
  paused: boolean;
}

/** Read the answer of the queue; what waits comes in the order in which it will run. */
export function readQueue(json: unknown, state: unknown): Queue {
  const { queue_running: running, queue_pending: pending } = z.parse(queue, json);
  return {
    running: running.map(textOf),
    pending: pending.map((waiting) => ({ ...textOf(waiting), number: waiting[0] })),
    paused: z.parse(queueState, state).paused,
  };
}

/** The number that puts the job at `from` in the place of the one at `to`. */
export function numberAt(pending: readonly Waiting[], from: number, to: number): number {
  const others = pending.filter((_, index) => index !== from).map(({ number }) => number);
  const before = others[to - 1];
  const after = others[to];
  if (before !== undefined && after !== undefined) {
    return (before + after) / 2;
  }
  return before === undefined ? (after ?? 0) - 1 : before + 1;
}

/** Read the answer of the history, the newest first. */
export function readRecords(json: unknown): JobRecord[] {
  const entries = Object.values(z.parse(z.record(z.string(), entry), json));
  return entries.reverse().map(({ prompt, outputs, status }) => {
    const [last, told] = status.messages.at(-1) ?? ["", {}];
    const at = told.timestamp;
    const images = Object.entries(outputs).flatMap(([node, output]) =>
      (output?.images ?? []).map((image) => ({ ...image, node })),
    );
    const when = typeof at === "number" ? at : null;
    return { ...textOf(prompt), images, at: when, trouble: troubleOf(last, told) };
  });
}

function troubleOf(last: string, told: Readonly<Record<string, unknown>>): string | null {
  if (last === "execution_interrupted") {
    return t.run.cancelled;
  }
  const { exception_message: message } = told;
  const first = typeof message === "string" ? message.trim().split("\n")[0] : "";
  return last === "execution_error" ? first || t.run.failed : null;
}

/** The settings of a job: the document it was posted with, or else its bare prompt. */
export function readSettings(json: unknown, id: string): Json | undefined {
  const found = z.parse(z.record(z.string(), entry), json)[id];
  if (!found) {
    return undefined;
  }
  const [, , prompt, { extra_pnginfo: info }] = found.prompt;
  const document = info?.workflow;
  const own = typeof document === "object" && document !== null && "safelight" in document;
  return (own ? document : prompt) as Json;
}

function textOf([, id, prompt, { extra_pnginfo: info }]: Item): JobText {
  const values = Object.values(prompt).flatMap(({ inputs: own }) => Object.entries(own));
  const texts = values.flatMap(([, value]) => (typeof value === "string" ? [value] : []));
  const document = z.safeParse(workflow, info?.workflow).data;
  const seeds = values.filter(([name, value]) => /(^|_)seed$/.test(name) && !Array.isArray(value));
  return {
    id,
    prompt: publicPrompt(prompt, document?.parameters?.prompt) ?? longest(values),
    seed: seeds.length === 1 ? String(seeds[0]?.[1]) : null,
    workflow: document?.id ?? null,
    words: texts.join(" ").toLowerCase(),
  };
}

function publicPrompt(
  prompt: z.infer<typeof nodes>,
  place: { node: string; input: string } | undefined,
): string | undefined {
  const value = place && prompt[place.node]?.inputs[place.input];
  return typeof value === "string" && value ? value : undefined;
}

/** Where nothing says which text is the prompt: the longest of those that are called text. */
function longest(values: readonly (readonly [string, unknown])[]): string {
  const texts = values.flatMap(([name, value]) =>
    name.startsWith("text") && typeof value === "string" ? [value] : [],
  );
  return texts.sort((a, b) => b.length - a.length)[0] ?? "";
}

/** The records with all the words somewhere among their settings. */
export function matching(records: readonly JobRecord[], query: string): JobRecord[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return records.filter(({ words: own }) => words.every((word) => own.includes(word)));
}
