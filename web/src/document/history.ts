/**
 * Undo and redo as inverse patches.
 *
 * One gesture is one entry: entries with the same key merge, within `COALESCE_MS` of each other or,
 * for a gesture that is still going on, for as long as it lasts.
 */

import { applyPatches, type Patch } from "immer";
import { openAt, type Path } from "@/document/subgraphs";
import type { NodeId, Workflow } from "@/document/types";

export const COALESCE_MS = 600;
export const LIMIT = 200;

export interface Entry {
  label: string;
  /** Entries with equal keys may merge; without a key they never do. */
  key?: string | undefined;
  /** The key names a gesture with a clear end, so pauses do not split it. */
  gesture?: boolean | undefined;
  at: number;
  /** The sheet on which it was done; none for the top one. */
  path?: Path | undefined;
  patches: Patch[];
  inverse: Patch[];
  /** What was selected before and after, to be restored by undo and redo. */
  before: readonly NodeId[];
  after: readonly NodeId[];
}

export interface History {
  past: readonly Entry[];
  future: readonly Entry[];
}

export const EMPTY_HISTORY: History = { past: [], future: [] };

/** Add an entry, merging it into the last one where they belong to one gesture. */
export function record(history: History, entry: Entry): History {
  const last = history.past.at(-1);
  if (last && belongsTo(last, entry)) {
    return { past: [...history.past.slice(0, -1), merged(last, entry)], future: [] };
  }
  return { past: [...history.past, entry].slice(-LIMIT), future: [] };
}

function belongsTo(last: Entry, entry: Entry): boolean {
  if (!entry.key || last.key !== entry.key || last.path?.join() !== entry.path?.join()) {
    return false;
  }
  return entry.gesture === true || entry.at - last.at <= COALESCE_MS;
}

function merged(last: Entry, entry: Entry): Entry {
  if (overwrites(entry.patches, last.patches)) {
    return { ...entry, inverse: last.inverse, before: last.before };
  }
  return {
    ...entry,
    patches: [...last.patches, ...entry.patches],
    inverse: [...entry.inverse, ...last.inverse],
    before: last.before,
  };
}

/** Whether the later patches replace exactly what the earlier ones wrote, so that those may be forgotten. */
function overwrites(later: readonly Patch[], earlier: readonly Patch[]): boolean {
  return (
    later.length === earlier.length &&
    later.every((patch, index) => {
      const old = earlier[index];
      return (
        patch.op === "replace" &&
        old?.op === "replace" &&
        patch.path.join("\u0000") === old.path.join("\u0000")
      );
    })
  );
}

export interface Step {
  history: History;
  workflow: Workflow;
  selection: readonly NodeId[];
  label: string;
  path: Path;
  /** The nodes of that sheet that changed. */
  touched: readonly NodeId[];
}

/** Take back the last entry. */
export function undo(history: History, workflow: Workflow): Step | undefined {
  const entry = history.past.at(-1);
  if (!entry) {
    return undefined;
  }
  const before = applyPatches(workflow, entry.inverse);
  const { label, path = [], inverse } = entry;
  return {
    history: { past: history.past.slice(0, -1), future: [entry, ...history.future] },
    workflow: before,
    selection: entry.before,
    label,
    path,
    touched: touchedBy(inverse, openAt(before, path)),
  };
}

/** Do the last undone entry again. */
export function redo(history: History, workflow: Workflow): Step | undefined {
  const [entry, ...future] = history.future;
  if (!entry) {
    return undefined;
  }
  const after = applyPatches(workflow, entry.patches);
  const { label, path = [], patches } = entry;
  return {
    history: { past: [...history.past, entry], future },
    workflow: after,
    selection: entry.after,
    label,
    path,
    touched: touchedBy(patches, openAt(workflow, path)),
  };
}

function touchedBy(patches: readonly Patch[], definition: string | undefined): NodeId[] {
  const ids = patches
    .map(({ path }) =>
      definition === undefined || path[0] !== "subgraphs" || path[1] !== definition
        ? path
        : path.slice(2),
    )
    .filter((path) => path[0] === "nodes" && path.length > 1)
    .map((path) => String(path[1]));
  return [...new Set(ids)];
}
