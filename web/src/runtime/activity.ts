/** What the server is doing and has done, for everybody: looked at only while somebody looks. */

import { createStore, type StoreApi } from "zustand/vanilla";
import type { Api } from "@/runtime/api";
import type { JobRecord, JobText, Waiting } from "@/runtime/records";
import type { SocketMessage } from "@/runtime/socket";

export const SETTLE_MS = 150;
export const PAGE = 120;

const CHANGES = new Set([
  "status",
  "execution_start",
  "execution_success",
  "execution_error",
  "execution_interrupted",
]);

export type Topic = "queue" | "history";

export interface ActivityState {
  running: readonly JobText[];
  pending: readonly Waiting[];
  /** Whether what waits is held back. */
  paused: boolean;
  records: readonly JobRecord[];
  /** How many records are asked for. */
  limit: number;
  /** The topics that were answered at least once. */
  known: Readonly<Record<Topic, boolean>>;
  error: string | null;
}

export interface Activity {
  state: StoreApi<ActivityState>;
  /** Look at a topic until the answer is called. */
  watch: (topic: Topic) => () => void;
  /** Ask for older records too. */
  more: () => void;
  /** Ask again, soon. */
  refresh: () => void;
  onMessage: (message: SocketMessage) => void;
}

/** Make the store of one page. */
export function createActivity(api: Pick<Api, "jobs" | "records">): Activity {
  const state = createStore<ActivityState>(() => ({
    running: [],
    pending: [],
    paused: false,
    records: [],
    limit: PAGE,
    known: { queue: false, history: false },
    error: null,
  }));
  const watched: Topic[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const load = async (topic: Topic) => {
    const news =
      topic === "queue" ? await api.jobs() : { records: await api.records(state.getState().limit) };
    state.setState(({ known }) => ({ ...news, known: { ...known, [topic]: true }, error: null }));
  };
  const loadAll = () => {
    timer = undefined;
    for (const topic of new Set(watched)) {
      load(topic).catch((cause: unknown) =>
        state.setState({ error: cause instanceof Error ? cause.message : String(cause) }),
      );
    }
  };
  const refresh = () => {
    if (watched.length > 0) {
      timer ??= setTimeout(loadAll, SETTLE_MS);
    }
  };

  return {
    state,
    watch: (topic) => {
      watched.push(topic);
      clearTimeout(timer);
      loadAll();
      return () => {
        watched.splice(watched.indexOf(topic), 1);
      };
    },
    more: () => {
      state.setState(({ limit }) => ({ limit: limit + PAGE }));
      refresh();
    },
    refresh,
    onMessage: ({ type }) => {
      if (CHANGES.has(type)) {
        refresh();
      }
    },
  };
}
