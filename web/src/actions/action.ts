/** What a command of the page is, and which nodes it is about. */

import type { MenuPlace, MenuRequest } from "@/app/view";
import type { Workbench } from "@/app/workbench";
import { boxesOf } from "@/canvas/boxes";
import { type Boxes, nodesIn } from "@/document/frames";
import type { Frame, NodeId } from "@/document/types";
import { type Strings, t } from "@/strings/strings";

/** Neighbours in menus and in the palette. */
export type Group = keyof Strings["groups"];

export interface Action {
  /** It is called what the strings say of this id. */
  id: keyof Strings["actions"];
  group: Group;
  /** As `Mod+Shift+Z`; Mod is Ctrl, or Command on a Mac. */
  keys: readonly string[];
  /** It also acts while a text field has the cursor. */
  inText?: boolean;
  /** It is also there on the form. */
  inForm?: boolean;
  /** What it is offered at by the context menu. */
  menu?: readonly MenuPlace[];
  when?: (workbench: Workbench) => boolean;
  /** `at` is where the menu was opened, if one was. */
  run: (workbench: Workbench, at?: MenuRequest) => void;
}

/** What a command is called. */
export function nameOf({ id }: Action): string {
  return t.actions[id];
}

/** The chosen frames that are still there. */
export function chosenFrames({ document, view }: Workbench): Frame[] {
  const { frames } = view.getState();
  return document.sheet().frames.filter(({ id }) => frames.includes(id));
}

/** The boxes of all nodes, as they are seen. */
export function boxesNow({ document, schema, previews }: Workbench): Boxes {
  return boxesOf(
    document.sheet(),
    document.state.getState().path,
    schema.getState(),
    previews.nodes.getState(),
  );
}

/** The chosen nodes, and those that lie in chosen frames. */
export function chosenNodes(workbench: Workbench): NodeId[] {
  const { nodes } = workbench.document.sheet();
  const chosen = workbench.view.getState().selection.filter((id) => id in nodes);
  const framed = chosenFrames(workbench).flatMap((frame) => nodesIn(frame, boxesNow(workbench)));
  return [...new Set([...chosen, ...framed])];
}

/** Whether a node is chosen. */
export function nodesChosen({ view }: Workbench): boolean {
  return view.getState().selection.length > 0;
}

/** Whether a node or a frame is chosen. */
export function nodesOrFramesChosen(workbench: Workbench): boolean {
  return nodesChosen(workbench) || chosenFrames(workbench).length > 0;
}
