/** Everything one page consists of, made once and handed down. */

import { createContext, useContext, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { createStore, type StoreApi } from "zustand/vanilla";
import { createView, type ViewState, type ViewStore } from "@/app/view";
import type { Fallback } from "@/document/commands";
import { defaultOf, inputOf, type Schema } from "@/document/schema";
import { createExtend } from "@/document/specs";
import { createDocument, type DocumentState, type DocumentStore } from "@/document/store";
import { runId, sheetAt } from "@/document/subgraphs";
import type { NodeId, NodeRecord, Position, Sheet, Workflow } from "@/document/types";
import { type Activity, type ActivityState, createActivity } from "@/runtime/activity";
import type { Api } from "@/runtime/api";
import { createFavourites, type Favourites } from "@/runtime/favourites";
import { createNodeStatuses, type NodeStatus, type NodeStatuses } from "@/runtime/nodeStatus";
import { createPreviews, type Previews } from "@/runtime/previews";
import { createRuns, type Runs } from "@/runtime/run";
import type { RunState } from "@/runtime/runState";

/** How the canvas is looked at; the drawn canvas puts itself here. */
export interface Camera {
  /** Go to these nodes, unless some of them can be seen already. */
  reveal: (ids: readonly NodeId[]) => void;
  /** Move the sheet just so far that this node is wholly seen, if it fits. */
  bring: (id: NodeId) => void;
  fit: () => void;
  toCanvas: (page: Position) => Position;
  centre: () => { page: Position; canvas: Position };
}

export interface Workbench {
  api: Api;
  document: DocumentStore;
  view: ViewStore;
  /** What the server knows. */
  definitions: StoreApi<Schema>;
  /** The same with what the document adds: its subgraphs, and reroutes. */
  schema: StoreApi<Schema>;
  statuses: NodeStatuses;
  previews: Previews;
  runs: Runs;
  activity: Activity;
  favourites: Favourites;
  fallback: Fallback;
  camera: { current: Camera | null };
}

/** Put a workbench together around a schema and a first document. */
export function createWorkbench(
  api: Api,
  schema: Schema,
  first: Workflow,
  clientId: string,
): Workbench {
  const view = createView();
  const definitions = createStore<Schema>(() => schema);
  const document = createDocument(first, {
    get: () => view.getState().selection,
    set: (selection) => view.setState({ selection }),
  });
  const extended = extending(definitions, document);
  view.subscribe(({ page }, before) => {
    if (page !== before.page) {
      document.open([]); // the form is that of the whole workflow
    }
  });
  const statuses = createNodeStatuses();
  const previews = createPreviews();
  const current = () => extended.getState();
  const runs = createRuns({ api, document, statuses, previews, schema: current, clientId });
  const fallback: Fallback = (classType, name) => {
    const input = inputOf(current().nodes[classType], name);
    return input && defaultOf(input);
  };
  return {
    api,
    document,
    view,
    definitions,
    schema: extended,
    statuses,
    previews,
    runs,
    activity: createActivity(api),
    favourites: createFavourites(api),
    fallback,
    camera: { current: null },
  };
}

/** The classes of the server and of the document together, as either changes. */
function extending(definitions: StoreApi<Schema>, document: DocumentStore): StoreApi<Schema> {
  const extend = createExtend();
  const now = () => extend(definitions.getState(), document.workflow().subgraphs);
  const extended = createStore<Schema>(now);
  const update = () => extended.setState(now(), true);
  definitions.subscribe(update);
  document.state.subscribe(update);
  return extended;
}

export const WorkbenchContext = createContext<Workbench | null>(null);

/** The workbench this component belongs to. */
export function useWorkbench(): Workbench {
  const workbench = useContext(WorkbenchContext);
  if (!workbench) {
    throw new Error("This component needs a workbench around it.");
  }
  return workbench;
}

export function useDocument<T>(select: (state: DocumentState) => T): T {
  return useStore(useWorkbench().document.state, select);
}

export function useView<T>(select: (state: ViewState) => T): T {
  return useStore(useWorkbench().view, select);
}

export function useRuns<T>(select: (state: RunState) => T): T {
  return useStore(useWorkbench().runs.state, select);
}

export function useActivity<T>(select: (state: ActivityState) => T): T {
  return useStore(useWorkbench().activity.state, select);
}

export function useSchema(): Schema {
  return useStore(useWorkbench().schema);
}

/** Of the sheet that lies open. */
export function useSheet<T>(select: (sheet: Sheet) => T): T {
  return useDocument(({ workflow, path }) => select(sheetAt(workflow, path)));
}

/** The record of a node on the open sheet. */
export function useRecord(id: NodeId): NodeRecord | undefined {
  return useSheet((sheet) => sheet.nodes[id]);
}

/** What the server calls a node of the open sheet. */
export function useRunId(id: NodeId): NodeId {
  return useDocument(({ path }) => runId(path, id));
}

/** What the node is doing that the server calls so. */
export function useStatus(id: NodeId): NodeStatus {
  const { statuses } = useWorkbench();
  return useSyncExternalStore(
    (listener) => statuses.subscribe(id, listener),
    () => statuses.get(id),
  );
}
