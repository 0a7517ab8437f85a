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
      const status = current.get(id);
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

  const touch = (id: NodeId) => {
    dirty.add(id);
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
