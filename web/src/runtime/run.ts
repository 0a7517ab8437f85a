/** Running the workflow: submit, follow, cancel, and find the way back after a lost connection. */

import { createStore, type StoreApi } from "zustand/vanilla";
import { partTo } from "@/document/partial";
import { inputOf, type Schema } from "@/document/schema";
import type { DocumentStore } from "@/document/store";
import { recordAt, runId } from "@/document/subgraphs";
import { type NodeId, titleOf, type Workflow } from "@/document/types";
import { type Problem, validate } from "@/document/validate";
import type { Api, Refusal } from "@/runtime/api";
import { createFollower } from "@/runtime/follow";
import type { PreviewFrame } from "@/runtime/frames";
import { randomId } from "@/runtime/ids";
import type { NodeStatuses } from "@/runtime/nodeStatus";
import { pictureUrl } from "@/runtime/picture";
import type { Previews } from "@/runtime/previews";
import { type Job, type RunState, START } from "@/runtime/runState";
import { drawSeeds, seedOf } from "@/runtime/seeds";
import type { ImageRef } from "@/runtime/shapes";
import type { Connection, SocketMessage } from "@/runtime/socket";
import { t } from "@/strings/strings";

const LONGEST_DETAILS = 60;

export interface RunContext {
  api: Api;
  document: DocumentStore;
  statuses: NodeStatuses;
  previews: Previews;
  schema: () => Schema;
  clientId: string;
}

export interface Runs {
  state: StoreApi<RunState>;
  /** Run all of it, or only what these nodes need. */
  run: (upTo?: readonly NodeId[]) => Promise<void>;
  cancel: () => Promise<void>;
  /** Take note that these runs were taken back while they waited. */
  taken: (ids: readonly string[]) => void;
  /** Forget everything that belongs to the document that was open. */
  reset: (lastJob?: string | null) => void;
  onConnection: (connection: Connection) => void;
  onMessage: (message: SocketMessage) => void;
  onPreview: (frame: PreviewFrame) => void;
}

/** Make the runner of one page. */
export function createRuns(context: RunContext): Runs {
  const { api, document, statuses, previews, schema, clientId } = context;
  const state = createStore<RunState>(() => START);

  const ours = (id: string | undefined): Job | undefined =>
    state.getState().jobs.find((job) => job.id === id);
  const changeJob = (id: string, change: Partial<Job>) =>
    state.setState(({ jobs }) => ({
      jobs: jobs.map((job) => (job.id === id ? { ...job, ...change } : job)),
    }));
  const dropJob = (id: string) =>
    state.setState(({ jobs }) => ({ jobs: jobs.filter((job) => job.id !== id) }));
  const nameOf = (id: string): string => {
    const record = recordAt(document.workflow(), id);
    return record ? titleOf(record, schema().nodes[record.class_type]?.title) : t.run.node(id);
  };

  const complain = (problems: readonly Problem[], notice: string) => {
    for (const node of new Set(problems.flatMap((problem) => problem.node ?? []))) {
      const own = problems.filter((problem) => problem.node === node);
      const atInputs = own.flatMap(({ input, message }) =>
        input === null ? [] : [[input, message]],
      );
      const error = own.find(({ input }) => input === null)?.message ?? null;
      statuses.set(node, { error, inputErrors: Object.fromEntries(atInputs) });
    }
    state.setState({ problems, notice });
  };

  const clearComplaints = () => {
    statuses.setAll({ error: null, inputErrors: {} });
    state.setState({ problems: [], notice: "" });
  };

  const partOf = (ids: readonly NodeId[]) =>
    partTo(document.workflow(), schema(), ids, document.state.getState().path);

  const problemsTo = (ids: readonly NodeId[]): Problem[] => {
    const part = partOf(ids);
    return part ? validate(part.workflow, schema(), part.targets) : [];
  };

  const run = async (upTo?: readonly NodeId[]) => {
    clearComplaints();
    const targets = upTo && partOf(upTo)?.targets;
    if (upTo && !targets) {
      const notice = t.run.nothing(nameOf(runId(document.state.getState().path, upTo[0] ?? "")));
      state.setState({ notice });
      return;
    }
    const found = upTo ? problemsTo(upTo) : validate(document.workflow(), schema());
    if (found.length > 0) {
      complain(found, found.length === 1 ? (found[0]?.message ?? "") : t.run.mend(found.length));
      return;
    }
    const seeds = drawSeeds(document.workflow(), schema());
    if (seeds) {
      document.note(seeds);
    }
    const part = upTo && partOf(upTo);
    const workflow = part?.workflow ?? document.workflow();
    const id = randomId();
    const seed = seedOf(workflow, schema());
    const job = { id, running: false, startedAt: Date.now(), seed, shown: part?.shown };
    state.setState(({ jobs }) => ({ jobs: [...jobs, job], lastJob: id }));
    try {
      const refusal = await api.submit(workflow, id, clientId, part?.targets);
      if (refusal) {
        dropJob(id);
        const problems = problemsOf(refusal, workflow, schema());
        complain(problems, problems[0]?.message ?? refusal.error.message);
      }
    } catch (cause) {
      dropJob(id);
      const message = t.run.unreached(cause instanceof Error ? cause.message : String(cause));
      complain([{ node: null, input: null, message }], message);
    }
  };

  const cancel = async () => {
    const { jobs } = state.getState();
    const pending = jobs.filter((job) => !job.running).map((job) => job.id);
    const running = jobs.find((job) => job.running);
    try {
      if (pending.length > 0) {
        await api.dequeue(pending);
        pending.forEach(dropJob);
      }
      if (running) {
        await api.interrupt(running.id);
      }
      state.setState({ notice: running ? t.run.stopping : t.run.cancelled });
    } catch (cause) {
      state.setState({ notice: t.run.notCancelled(String(cause)) });
    }
  };

  const follower = createFollower({
    state,
    statuses,
    nameOf,
    ours,
    changeJob,
    dropJob,
    showIn: (node, picture) => void showIn(previews, node, picture),
  });

  const resume = async () => {
    const { jobs, lastJob } = state.getState();
    const known = [...new Set([...jobs.map((job) => job.id), ...(lastJob ? [lastJob] : [])])];
    if (known.length === 0) {
      return;
    }
    const queue = await api.queue();
    for (const id of known) {
      const running = queue.running.includes(id);
      if (running || queue.pending.includes(id)) {
        if (!ours(id)) {
          const seed = seedOf(document.workflow(), schema());
          const job = { id, running, startedAt: Date.now(), seed };
          state.setState((old) => ({ jobs: [...old.jobs, job] }));
        }
        changeJob(id, { running });
      } else {
        const entry = await api.history(id);
        if (entry) {
          follower.settle(id, entry);
        } else if (ours(id)) {
          dropJob(id);
          state.setState({ notice: t.run.forgotten });
        }
      }
    }
  };

  return {
    state,
    run,
    cancel,
    taken: (ids) => ids.forEach(dropJob),
    reset: (lastJob = null) => {
      statuses.clear();
      previews.clear();
      follower.reset();
      state.setState(({ connection }) => ({ ...START, connection, lastJob }));
    },
    onConnection: (connection) => {
      state.setState({ connection });
      if (connection === "open") {
        resume().catch((cause: unknown) => state.setState({ notice: String(cause) }));
      }
    },
    onMessage: follower.onMessage,
    onPreview: ({ node, job, image }) => {
      if (ours(job)) {
        previews.offer(node, image);
      }
    },
  };
}

/** Show a finished picture where a node has no place for one: as its preview. */
async function showIn(previews: Previews, node: NodeId, picture: ImageRef): Promise<void> {
  const response = await fetch(pictureUrl(picture)).catch(() => undefined);
  if (response?.ok) {
    previews.offer(node, await response.blob());
  }
}

/** The server's refusal in the words of the canvas: titles for ids and for names of inputs. */
function problemsOf(refusal: Refusal, workflow: Workflow, schema: Schema): Problem[] {
  const problems = Object.entries(refusal.node_errors).flatMap(([node, { errors }]) => {
    const record = recordAt(workflow, node);
    const spec = schema.nodes[record?.class_type ?? ""];
    const title = record ? titleOf(record, spec?.title) : t.run.node(node);
    return errors.map(({ message, details, extra_info }) => {
      const name = extra_info.input_name ?? null;
      const place = name === null ? title : `${title}, ${inputOf(spec, name)?.title ?? name}`;
      const told = sentence(message, details);
      const plain = name === null ? told : told.replace(`${name}: `, "");
      return { node, input: name, message: `${place}: ${plain}` };
    });
  });
  const { message, details } = refusal.error;
  return problems.length > 0
    ? problems
    : [{ node: null, input: null, message: sentence(message, details) }];
}

/** Details are told too, unless they repeat the message or are a list too long to read. */
function sentence(message: string, details: string): string {
  if (!details || message.includes(details) || details.length > LONGEST_DETAILS) {
    return message;
  }
  return details.includes(message) ? details : `${message} (${details})`;
}
