/** The open document, its history, and the one way to change it. */

import { castDraft, enablePatches, type Patch, produceWithPatches } from "immer";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { Command } from "@/document/commands";
import { EMPTY_HISTORY, type History, record, redo, type Step, undo } from "@/document/history";
import type { NodeId, Workflow } from "@/document/types";

enablePatches();

export interface DocumentState {
  workflow: Workflow;
  history: History;
  /** The document as it was last written to or read from a file. */
  saved: Workflow;
}

export interface Selection {
  get: () => readonly NodeId[];
  set: (ids: readonly NodeId[]) => void;
}

const NO_SELECTION: Selection = { get: () => [], set: () => undefined };

export interface DocumentStore {
  state: StoreApi<DocumentState>;
  workflow: () => Workflow;
  /** Run a command as an entry of the history; true if it changed anything. */
  apply: (command: Command, selectAfter?: readonly NodeId[]) => boolean;
  /** Run a command that undo shall not know of: a seed drawn at enqueue. */
  note: (command: Command) => void;
  undo: () => Step | undefined;
  redo: () => Step | undefined;
  markSaved: () => void;
  restore: (state: DocumentState) => void;
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
  }));

  const run = (command: Command): readonly [Workflow, Patch[], Patch[]] =>
    produceWithPatches(state.getState().workflow, (draft) =>
      castDraft(command.recipe(draft as Workflow)),
    );

  const take = (step: Step | undefined): Step | undefined => {
    if (step) {
      state.setState({ workflow: step.workflow, history: step.history });
      selection.set(step.selection.filter((id) => id in step.workflow.nodes));
    }
    return step;
  };

  return {
    state,
    workflow: () => state.getState().workflow,
    apply: (command, selectAfter) => {
      const before = selection.get();
      const [workflow, patches, inverse] = run(command);
      if (patches.length === 0) {
        return false;
      }
      const after = selectAfter ?? before.filter((id) => id in workflow.nodes);
      const { label, key, gesture } = command;
      const entry = { label, key, gesture, at: now(), patches, inverse, before, after };
      state.setState((old) => ({ workflow, history: record(old.history, entry) }));
      selection.set(after);
      return true;
    },
    note: (command) => state.setState({ workflow: run(command)[0] }),
    undo: () => take(undo(state.getState().history, state.getState().workflow)),
    redo: () => take(redo(state.getState().history, state.getState().workflow)),
    markSaved: () => state.setState((old) => ({ saved: old.workflow })),
    restore: (restored) => state.setState(restored),
  };
}
