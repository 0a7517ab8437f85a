/** Following runs: what each server event means for the nodes, the pictures and the status line. */

import type { StoreApi } from "zustand/vanilla";
import type { HistoryEntry } from "@/runtime/api";
import * as events from "@/runtime/events";
import type { NodeStatuses } from "@/runtime/nodeStatus";
import type { Picture } from "@/runtime/picture";
import type { Job, RunState } from "@/runtime/runState";
import { type ImageRef, saidBy } from "@/runtime/shapes";
import type { SocketMessage } from "@/runtime/socket";
import { t } from "@/strings/strings";

export interface Follower {
  onMessage: (message: SocketMessage) => void;
  /** Take over how a run ended from its record, when its events were missed. */
  settle: (id: string, entry: HistoryEntry) => void;
  reset: () => void;
}

export interface FollowContext {
  state: StoreApi<RunState>;
  statuses: NodeStatuses;
  nameOf: (node: string) => string;
  ours: (job: string | undefined) => Job | undefined;
  changeJob: (job: string, change: Partial<Job>) => void;
  dropJob: (job: string) => void;
  /** Show a picture in a node that has no place of its own for pictures. */
  showIn: (node: string, picture: ImageRef) => void;
}

/** Make the follower of one page. */
export function createFollower(context: FollowContext): Follower {
  const { state, statuses, nameOf, ours, changeJob, dropJob, showIn } = context;
  const since = new Map<string, number>();
  const timed = new Set<string>();
  let outcome = "";

  const show = (
    job: { id: string; seed?: string | null },
    node: string,
    images: readonly ImageRef[],
  ) => {
    const { id, seed = null } = job;
    const pictures = images.map((image) => ({ ...image, node, job: id, seed }));
    if (pictures.length > 0) {
      statuses.set(node, { pictures });
      state.setState((old) => ({
        pictures: [...old.pictures.filter((p) => !isAmong(p, pictures)), ...pictures],
      }));
    }
  };

  const time = (node: string, seconds: number | undefined) => {
    if (seconds !== undefined && !timed.has(node)) {
      timed.add(node);
      statuses.set(node, { seconds });
    }
  };

  /** The node at work is done; its time is the server's where it told, and ours otherwise. */
  const leave = () => {
    const { node } = state.getState();
    if (node !== null) {
      const started = since.get(node);
      const seconds = started === undefined ? undefined : (performance.now() - started) / 1000;
      time(node, seconds);
      statuses.set(node, { stage: "done" });
      state.setState({ node: null });
    }
  };

  const enter = (job: Job, node: string) => {
    if (state.getState().node !== node) {
      leave();
      since.set(node, performance.now());
      timed.delete(node);
      statuses.set(node, { stage: "running", value: 0, max: 0, seconds: null });
      state.setState({ node });
      changeJob(job.id, { running: true });
    }
  };

  const begin = (job: Job) => {
    outcome = "";
    since.clear();
    timed.clear();
    changeJob(job.id, { running: true, startedAt: Date.now() });
    statuses.setAll({ stage: "waiting", value: 0, max: 0, seconds: null, error: null, notes: [] });
    state.setState({ notice: "", node: null });
  };

  const fail = (node: string | null, text: string) => {
    const message = text.trim().split("\n")[0] || t.run.silent;
    if (node !== null) {
      statuses.set(node, { stage: "failed", error: message });
    }
    outcome = node === null ? message : `${nameOf(node)}: ${message}`;
    state.setState({ node: null, problems: [{ node, input: null, message: outcome }] });
  };

  const stop = () => {
    statuses.setAll({ stage: "idle", value: 0, max: 0 });
    outcome = t.run.cancelled;
    state.setState({ node: null });
  };

  const end = (job: Job) => {
    dropJob(job.id);
    const seconds = (Date.now() - job.startedAt) / 1000;
    state.setState({ node: null, notice: outcome || t.run.done(seconds.toFixed(1)) });
    outcome = "";
  };

  const handlers: Readonly<Record<string, (message: SocketMessage) => void>> = {
    execution_start: (message) => {
      const job = ours(events.read(events.ended, message)?.prompt_id);
      if (job) {
        begin(job);
      }
    },
    execution_cached: (message) => {
      const data = events.read(events.cached, message);
      if (data && ours(data.prompt_id)) {
        for (const node of data.nodes) {
          statuses.set(node, { stage: "reused" });
        }
      }
    },
    executing: (message) => {
      const data = events.read(events.executing, message);
      const running = state.getState().jobs.find((job) => job.running);
      const job = data && (data.prompt_id ? ours(data.prompt_id) : running);
      if (job && data.node !== null) {
        enter(job, data.node);
      } else if (job && data.prompt_id) {
        end(job);
      }
    },
    progress: (message) => {
      const data = events.read(events.progress, message);
      const job = ours(data?.prompt_id);
      if (data && job) {
        enter(job, data.node);
        statuses.set(data.node, { value: data.value, max: data.max });
      }
    },
    progress_state: (message) => {
      const data = events.read(events.progressState, message);
      if (data && ours(data.prompt_id)) {
        for (const [node, { seconds }] of Object.entries(data.nodes)) {
          time(node, seconds);
        }
      }
    },
    executed: (message) => {
      const data = events.read(events.executed, message);
      const job = ours(data?.prompt_id);
      if (data && job) {
        const images = data.output?.images ?? [];
        const source = job.shown?.get(data.node);
        show(job, source ?? data.node, images);
        if (source !== undefined && images[0]) {
          showIn(source, images[0]);
        }
        statuses.set(source ?? data.node, { notes: saidBy(data.output) });
        time(data.node, data.seconds);
      }
    },
    execution_warning: (message) => {
      const data = events.read(events.warning, message);
      if (data && ours(data.prompt_id)) {
        statuses.set(data.node_id, { notes: [data.message] });
      }
    },
    execution_success: (message) => {
      if (ours(events.read(events.ended, message)?.prompt_id)) {
        leave();
      }
    },
    execution_error: (message) => {
      const data = events.read(events.failure, message);
      if (data && ours(data.prompt_id)) {
        fail(data.node_id, data.exception_message);
      }
    },
    execution_interrupted: (message) => {
      if (ours(events.read(events.ended, message)?.prompt_id)) {
        stop();
      }
    },
  };

  const settle = (id: string, entry: HistoryEntry) => {
    const job = ours(id);
    for (const [node, output] of Object.entries(entry.outputs)) {
      show(job ?? { id }, node, output?.images ?? []);
      statuses.set(node, { notes: saidBy(output) });
    }
    const [type, data] = entry.status.messages.at(-1) ?? ["", {}];
    if (type === "execution_error") {
      const failed = events.read(events.failure, { type, data });
      fail(failed?.node_id ?? null, failed?.exception_message ?? "");
    } else if (job && type === "execution_interrupted") {
      stop();
    } else if (job) {
      statuses.setAll({ stage: "done", value: 0, max: 0 });
    }
    if (job) {
      end(job);
    }
  };

  return {
    onMessage: (message) => handlers[message.type]?.(message),
    settle,
    reset: () => {
      since.clear();
      timed.clear();
      outcome = "";
    },
  };
}

function isAmong(picture: Picture, others: readonly Picture[]): boolean {
  return others.some(
    (other) =>
      other.filename === picture.filename &&
      other.subfolder === picture.subfolder &&
      other.type === picture.type,
  );
}
