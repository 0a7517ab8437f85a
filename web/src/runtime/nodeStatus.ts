/**
 * What each node is doing, apart from the document.
 *
 * One small store with a listener list per node, so that a step of the sampler wakes one component.
 * Changes are handed out at most ten times a second, however fast they come in.
 */

import type { NodeId } from "@/document/types";
import type { Picture } from "@/runtime/picture";

export const FLUSH_MS = 100;

export type RunStage = "idle" | "waiting" | "running" | "done" | "reused" | "failed";

export interface NodeStatus {
  stage: RunStage;
  /** Steps done and steps in all, while running. */
  value: number;
  max: number;
  seconds: number | null;
  pictures: readonly Picture[];
  error: string | null;
  /** What it said about its work. */
  notes: readonly string[];
  /** What is wrong with an input, by its name. */
  inputErrors: Readonly<Record<string, string>>;
}

export const IDLE: NodeStatus = {
  stage: "idle",
  value: 0,
  max: 0,
  seconds: null,
  pictures: [],
  error: null,
  notes: [],
  inputErrors: {},
};

export interface NodeStatuses {
  get: (id: NodeId) => NodeStatus;
  set: (id: NodeId, change: Partial<NodeStatus>) => void;
  /** Apply a change to every node that has a status. */
  setAll: (change: Partial<NodeStatus>) => void;
  clear: () => void;
  ids: () => NodeId[];
  subscribe: (id: NodeId, listener: () => void) => () => void;
}

/** Make the store; what `get` answers changes only when listeners are told. */
export function createNodeStatuses(): NodeStatuses {
  const current = new Map<NodeId, NodeStatus>();
  const shown = new Map<NodeId, NodeStatus>();
  const listeners = new Map<NodeId, Set<() => void>>();
  const dirty = new Set<NodeId>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    const ids = [...dirty];
    dirty.clear();
    for (const id of ids) {
      const status = look(id);
      if (status) {
        shown.set(id, status);
      } else {
        shown.delete(id);
      }
      for (const listener of [...(listeners.get(id) ?? [])]) {
        listener();
      }
    }
  };

  /** Its parts, for a subgraph's instance: what it does is what they do. */
  const parts = new Map<NodeId, Set<NodeId>>();

  const look = (id: NodeId): NodeStatus | undefined => {
    const own = current.get(id);
    const inner = [...(parts.get(id) ?? [])].flatMap((part) => current.get(part) ?? []);
    return inner.length > 0 ? gathered(inner, own) : own;
  };

  const touch = (id: NodeId) => {
    dirty.add(id);
    for (const whole of wholesOf(id)) {
      parts.set(whole, (parts.get(whole) ?? new Set()).add(id));
      dirty.add(whole);
    }
    if (timer === undefined) {
      timer = setTimeout(flush, FLUSH_MS);
    }
  };

  const set = (id: NodeId, change: Partial<NodeStatus>) => {
    current.set(id, { ...(current.get(id) ?? IDLE), ...change });
    touch(id);
  };

  return {
    get: (id) => shown.get(id) ?? IDLE,
    set,
    setAll: (change) => {
      for (const id of current.keys()) {
        set(id, change);
      }
    },
    clear: () => {
      for (const id of [...current.keys()]) {
        current.delete(id);
        touch(id);
      }
    },
    ids: () => [...current.keys()],
    subscribe: (id, listener) => {
      const set = listeners.get(id) ?? new Set();
      listeners.set(id, set.add(listener));
      return () => {
        set.delete(listener);
      };
    },
  };
}

/** The instances that a node lies in, by what the server calls it: `12` and `12:3` for `12:3:5`. */
export function wholesOf(id: NodeId): NodeId[] {
  const steps = id.split(":");
  return steps.slice(1).map((_, index) => steps.slice(0, index + 1).join(":"));
}

function complaints({ error, inputErrors }: NodeStatus): string[] {
  return error === null ? Object.values(inputErrors) : [error];
}

/** What several nodes are doing, as one. */
function gathered(inner: readonly NodeStatus[], own: NodeStatus = IDLE): NodeStatus {
  const running = inner.find(({ stage }) => stage === "running");
  const stages = new Set(inner.map(({ stage }) => stage));
  const stage = (["failed", "running", "waiting", "done", "reused"] as const).find((it) =>
    stages.has(it),
  );
  const seconds = inner.flatMap((status) => status.seconds ?? []);
  return {
    stage: stage ?? own.stage,
    value: running?.value ?? 0,
    max: running?.max ?? 0,
    seconds: seconds.length > 0 ? seconds.reduce((sum, next) => sum + next, 0) : null,
    pictures: inner.flatMap(({ pictures }) => pictures),
    error: own.error ?? inner.flatMap(complaints)[0] ?? null,
    notes: inner.flatMap(({ notes }) => notes),
    inputErrors: own.inputErrors,
  };
}
