/** What is known about the runs of the open document. */

import type { Problem } from "@/document/validate";
import type { Picture } from "@/runtime/picture";
import type { Connection } from "@/runtime/socket";

export interface Job {
  id: string;
  running: boolean;
  startedAt: number;
  seed: string | null;
  /** Nodes that only this run has, with those whose results they show. */
  shown?: ReadonlyMap<string, string> | undefined;
}

export interface RunState {
  connection: Connection;
  /** Runs of this document that have not ended, in order. */
  jobs: readonly Job[];
  /** The node at work. */
  node: string | null;
  problems: readonly Problem[];
  /** The last thing worth saying, for the status line and for screen readers. */
  notice: string;
  /** Every picture made since this document was opened, oldest first. */
  pictures: readonly Picture[];
  lastJob: string | null;
}

export const START: RunState = {
  connection: "connecting",
  jobs: [],
  node: null,
  problems: [],
  notice: "",
  pictures: [],
  lastJob: null,
};
