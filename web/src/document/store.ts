/** The open document, its history, and the one way to change it. */

import { castDraft, enablePatches, type Patch, produceWithPatches } from "immer";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { Command } from "@/document/commands";
import { EMPTY_HISTORY, type History, record, redo, type Step, undo } from "@/document/history";
import { keptPath, type Path, sheetAt } from "@/document/subgraphs";
import type { NodeId, Sheet, Workflow } from "@/document/types";

enablePatches();

export interface DocumentState {
  workflow: Workflow;
  history: History;
  /** The document as it was last written to or read from a file. */
  saved: Workflow;
  /** Which sheet lies open: the instances that were opened, from the top.  No command of its own. */
  path: Path;
}

export interface Selection {
  get: () => readonly NodeId[];
  set: (ids: readonly NodeId[]) => void;
}

const NO_SELECTION: Selection = { get: () => [], set: () => undefined };

export interface DocumentStore {
  state: StoreApi<DocumentState>;
  workflow: () => Workflow;
  /** The sheet that lies open. */
  sheet: () => Sheet;
  /** Open another sheet. */
  open: (path: Path) => void;
  /** Run a command as an entry of the history; true if it changed anything. */
  apply: (command: Command, selectAfter?: readonly NodeId[]) => boolean;
  /** Run a command that undo shall not know of: a seed drawn at enqueue. */
  note: (command: Command) => void;
  undo: () => Step | undefined;
  redo: () => Step | undefined;
  markSaved: () => void;
  restore: (state: Omit<DocumentState, "path">) => void;
}

/** Make a store around a first document. */
export function createDocument(
  first: Workflow,
  selection: Selection = NO_SELECTION,
  now: () => number = Date.now,
): DocumentStore {
  const state = createStore<DocumentState>(() => ({
    workflow: first,
    history: EMPTY_HISTORY,
    saved: first,
    path: [],
  }));

  const run = (command: Command, path: Path): readonly [Workflow, Patch[], Patch[]] =>
    produceWithPatches(state.getState().workflow, (draft) => {
      const whole = draft as Workflow;
      return castDraft(command.recipe(sheetAt(whole, path), whole));
    });

  const take = (step: Step | undefined): Step | undefined => {
    if (step) {
      const path = keptPath(step.workflow, step.path);
      const { nodes } = sheetAt(step.workflow, path);
      state.setState({ workflow: step.workflow, history: step.history, path });
      selection.set(step.selection.filter((id) => id in nodes));
    }
    return step;
  };

  return {
    state,
    workflow: () => state.getState().workflow,
    sheet: () => sheetAt(state.getState().workflow, state.getState().path),
    open: (path) => {
      selection.set([]);
      state.setState(({ workflow }) => ({ path: keptPath(workflow, path) }));
    },
    apply: (command, selectAfter) => {
      const before = selection.get();
      const { path: here } = state.getState();
      const [workflow, patches, inverse] = run(command, here);
      if (patches.length === 0) {
        return false;
      }
      const whole = patches.some((patch) => patch.path.length === 0);
      const path = whole ? [] : keptPath(workflow, here);
      const { nodes } = sheetAt(workflow, path);
      const after = selectAfter ?? before.filter((id) => id in nodes);
      const { label, key, gesture } = command;
      const entry = { label, key, gesture, at: now(), path: here, patches, inverse, before, after };
      state.setState((old) => ({ workflow, history: record(old.history, entry), path }));
      selection.set(after);
      return true;
    },
    note: (command) => state.setState(({ path }) => ({ workflow: run(command, path)[0] })),
    undo: () => take(undo(state.getState().history, state.getState().workflow)),
    redo: () => take(redo(state.getState().history, state.getState().workflow)),
    markSaved: () => state.setState((old) => ({ saved: old.workflow })),
    restore: (restored) => state.setState({ ...restored, path: [] }),
  };
}
