/** Everything one page consists of, made once and handed down. */

import { createContext, useContext, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { createStore, type StoreApi } from "zustand/vanilla";
import { createView, type ViewState, type ViewStore } from "@/app/view";
import type { Fallback } from "@/document/commands";
import { defaultOf, inputOf, type Schema } from "@/document/schema";
import { createDocument, type DocumentState, type DocumentStore } from "@/document/store";
import type { NodeId, NodeRecord, Position, Workflow } from "@/document/types";
import { type Activity, type ActivityState, createActivity } from "@/runtime/activity";
import type { Api } from "@/runtime/api";
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
  schema: StoreApi<Schema>;
  statuses: NodeStatuses;
  previews: Previews;
  runs: Runs;
  activity: Activity;
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
  const statuses = createNodeStatuses();
  const previews = createPreviews();
  const current = () => definitions.getState();
  const runs = createRuns({ api, document, statuses, previews, schema: current, clientId });
  const fallback: Fallback = (classType, name) => {
    const input = inputOf(current().nodes[classType], name);
    return input && defaultOf(input);
  };
  return {
    api,
    document,
    view,
    schema: definitions,
    statuses,
    previews,
    runs,
    activity: createActivity(api),
    fallback,
    camera: { current: null },
  };
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

export function useRecord(id: NodeId): NodeRecord | undefined {
  return useDocument((state) => state.workflow.nodes[id]);
}

export function useStatus(id: NodeId): NodeStatus {
  const { statuses } = useWorkbench();
  return useSyncExternalStore(
    (listener) => statuses.subscribe(id, listener),
    () => statuses.get(id),
  );
}
