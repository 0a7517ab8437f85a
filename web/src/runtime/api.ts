/** The HTTP calls of the canvas. */

import * as z from "zod/mini";
import { readSchema } from "@/definitions/schema";
import { parseJson } from "@/document/numbers";
import type { Schema } from "@/document/schema";
import type { Json, Workflow } from "@/document/types";
import type { File as PictureFile } from "@/runtime/picture";
import {
  type JobRecord,
  type Queue,
  readQueue,
  readRecords,
  readSettings,
} from "@/runtime/records";
import { shownOutput } from "@/runtime/shapes";
import {
  type NodeSource,
  readNodeSource,
  readSourceFile,
  type SourceFile,
} from "@/runtime/sources";
import { t } from "@/strings/strings";

const problem = z.object({
  type: z.string(),
  message: z._default(z.string(), ""),
  details: z._default(z.string(), ""),
  extra_info: z._default(z.looseObject({ input_name: z.optional(z.string()) }), {}),
});

const nodeErrors = z.record(z.string(), z.object({ errors: z.array(problem) }));

const refusal = z.object({
  error: problem,
  node_errors: z._default(nodeErrors, {}),
});
export type Refusal = z.infer<typeof refusal>;

const queue = z.object({
  queue_running: z.array(z.tuple([z.number(), z.string()], z.unknown())),
  queue_pending: z.array(z.tuple([z.number(), z.string()], z.unknown())),
});

const conversion = z.object({ workflow: z.json(), guesses: z.array(z.string()) });

const names = z.array(z.string());

const historyEntry = z.object({
  outputs: z.record(z.string(), shownOutput),
  status: z.object({
    status_str: z.string(),
    messages: z.array(z.tuple([z.string(), z.looseObject({})])),
  }),
});
export type HistoryEntry = z.infer<typeof historyEntry>;

export interface Api {
  schema: () => Promise<Schema>;
  submit: (
    workflow: Workflow,
    job: string,
    clientId: string,
    targets?: readonly string[],
  ) => Promise<Refusal | undefined>;
  interrupt: (job: string) => Promise<void>;
  dequeue: (jobs: readonly string[]) => Promise<void>;
  queue: () => Promise<{ running: string[]; pending: string[] }>;
  history: (job: string) => Promise<HistoryEntry | undefined>;
  /** Everybody's jobs, and whether those that wait are held back. */
  jobs: () => Promise<Queue>;
  /** Hold back what waits, or let it go on. */
  pause: (paused: boolean) => Promise<void>;
  /** Give a waiting job another place: those with smaller numbers run first. */
  move: (job: string, number: number) => Promise<void>;
  /** Ask for an ended job once more. */
  retry: (job: string, clientId: string) => Promise<void>;
  /** Take back all jobs that wait. */
  clearQueue: () => Promise<void>;
  /** The last jobs that ended, the newest first. */
  records: (limit: number) => Promise<JobRecord[]>;
  /** The workflow of a job that ended; undefined if it is not known any more. */
  settings: (job: string) => Promise<Json | undefined>;
  /** A workflow of another program as one of ours, and everything that had to be guessed. */
  convert: (workflow: Json) => Promise<{ workflow: Json; guesses: string[] }>;
  /** The names of the learnt words. */
  embeddings: () => Promise<string[]>;
  /** The files of one kind of model. */
  models: (kind: string) => Promise<string[]>;
  /** What a model's file says about itself. */
  metadata: (kind: string, name: string) => Promise<Json>;
  /** What was kept under that name; null if nothing was. */
  setting: (name: string) => Promise<Json>;
  keepSetting: (name: string, value: Json) => Promise<void>;
  upload: (file: File) => Promise<string>;
  /** Keep a copy of a picture that is as transparent as the mask; answer its name. */
  uploadMask: (mask: Blob, picture: PictureFile) => Promise<string>;
  /** Where the code of a node class stands, and what it runs. */
  source: (node: string) => Promise<NodeSource>;
  sourceFile: (file: string) => Promise<SourceFile>;
}

async function post(path: string, body: unknown): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

const told = z.object({ error: z.object({ message: z.string() }) });

/** The server is there, and will be able to answer in a moment. */
export class Starting extends Error {}

/** The answer, if it is a good one; what is wrong in the server's own words, if it says so. */
async function answered(response: Response): Promise<Response> {
  if (!response.ok) {
    const said = z.safeParse(told, await response.json().catch(() => null));
    const plain = t.run.answered(`${response.status} ${response.statusText}`.trim());
    const message = said.success ? said.data.error.message : plain;
    throw response.status === 503 ? new Starting(message) : new Error(message);
  }
  return response;
}

/** The JSON at an address, with integers of any size. */
async function exact(path: string): Promise<Json> {
  return parseJson(await (await answered(await fetch(path))).text());
}

async function submit(
  workflow: Workflow,
  job: string,
  clientId: string,
  targets?: readonly string[],
): Promise<Refusal | undefined> {
  const body = {
    prompt: workflow,
    prompt_id: job,
    client_id: clientId,
    ...(targets ? { partial_execution_targets: targets } : {}),
  };
  const response = await post("/api/prompt", body);
  if (response.status === 400) {
    return z.parse(refusal, await response.json());
  }
  await answered(response);
  return undefined;
}

async function upload(file: File): Promise<string> {
  const form = new FormData();
  form.append("image", file);
  return storedName(await fetch("/api/upload/image", { method: "POST", body: form }));
}

async function uploadMask(mask: Blob, picture: PictureFile): Promise<string> {
  const form = new FormData();
  form.append("image", mask, `masked-${picture.filename.replace(/\.\w+$/, "")}.png`);
  form.append("subfolder", "masks");
  form.append("original_ref", JSON.stringify(picture));
  return storedName(await fetch("/api/upload/mask", { method: "POST", body: form }));
}

async function storedName(answer: Response): Promise<string> {
  const response = await answered(answer);
  const stored = z.parse(
    z.object({ name: z.string(), subfolder: z._default(z.string(), "") }),
    await response.json(),
  );
  return stored.subfolder ? `${stored.subfolder}/${stored.name}` : stored.name;
}

function jobPath(job: string): string {
  return `/api/jobs/${encodeURIComponent(job)}`;
}

/** The server this page came from. */
export const httpApi: Api = {
  schema: async () => readSchema(await (await answered(await fetch("/api/schema"))).json()),
  submit,
  interrupt: async (job) => {
    await answered(await post("/api/interrupt", { prompt_id: job }));
  },
  dequeue: async (jobs) => {
    await answered(await post("/api/queue", { delete: jobs }));
  },
  queue: async () => {
    const found = z.parse(queue, await (await answered(await fetch("/api/queue"))).json());
    return {
      running: found.queue_running.map(([, id]) => id),
      pending: found.queue_pending.map(([, id]) => id),
    };
  },
  history: async (job) => {
    const response = await answered(await fetch(`/api/history/${encodeURIComponent(job)}`));
    return z.parse(z.record(z.string(), historyEntry), await response.json())[job];
  },
  jobs: async () => {
    const [jobs, state] = await Promise.all([exact("/api/queue"), exact("/api/queue/state")]);
    return readQueue(jobs, state);
  },
  pause: async (paused) => {
    await answered(await post(`/api/queue/${paused ? "pause" : "resume"}`, {}));
  },
  move: async (job, number) => {
    const method = "PATCH";
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ number });
    await answered(await fetch(jobPath(job), { method, headers, body }));
  },
  retry: async (job, clientId) => {
    await answered(await post(`${jobPath(job)}/retry`, { client_id: clientId }));
  },
  clearQueue: async () => {
    await answered(await post("/api/queue", { clear: true }));
  },
  records: async (limit) => readRecords(await exact(`/api/history?max_items=${limit}`)),
  settings: async (job) =>
    readSettings(await exact(`/api/history/${encodeURIComponent(job)}`), job),
  convert: async (workflow) => {
    const response = await answered(await post("/api/convert", { workflow, to: "safelight" }));
    return z.parse(conversion, parseJson(await response.text()));
  },
  embeddings: async () => z.parse(names, await exact("/api/embeddings")),
  models: async (kind) => z.parse(names, await exact(`/api/models/${encodeURIComponent(kind)}`)),
  metadata: async (kind, name) =>
    exact(`/api/view_metadata/${kind}?${new URLSearchParams({ filename: name })}`),
  setting: async (name) => exact(`/api/settings/${encodeURIComponent(name)}`),
  keepSetting: async (name, value) => {
    await answered(await post(`/api/settings/${encodeURIComponent(name)}`, value));
  },
  upload,
  uploadMask,
  source: async (node) =>
    readNodeSource(await exact(`/api/nodes/${encodeURIComponent(node)}/source`)),
  sourceFile: async (file) => readSourceFile(await exact(`/api/sources/${encodeURI(file)}`)),
};
