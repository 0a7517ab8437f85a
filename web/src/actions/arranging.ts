/** Putting nodes in line, at equal distances, in columns, and into frames. */

import { type Action, boxesNow, chosenFrames, chosenNodes } from "@/actions/action";
import type { Workbench } from "@/app/workbench";
import { frameNode } from "@/canvas/ends";
import { aligned, type Box, distributed, type Edge } from "@/document/boxes";
import { move, together } from "@/document/commands";
import { addFrame, fitted, freshName, nodesIn, setFrame } from "@/document/frames";
import { tidy } from "@/document/tidy";
import type { NodeId, Position } from "@/document/types";
import { t } from "@/strings/strings";

const several = (workbench: Workbench) => workbench.view.getState().selection.length > 1;
const three = (workbench: Workbench) => workbench.view.getState().selection.length > 2;

const ALIGNMENTS: readonly (readonly [Edge, string, boolean])[] = [
  ["left", "Alt+A", true],
  ["right", "Alt+D", false],
  ["top", "Alt+W", true],
  ["bottom", "Alt+S", false],
  ["centre", "Alt+H", false],
  ["middle", "Alt+V", false],
];

const alignments = ALIGNMENTS.map(
  ([edge, keys, menu]): Action => ({
    id: `align-${edge}`,
    group: "Arrange",
    keys: [keys],
    ...(menu ? { menu: ["node"] } : {}),
    when: several,
    run: (workbench) =>
      place(workbench, t.actions[`align-${edge}`], (boxes) => aligned(boxes, edge)),
  }),
);

export const ARRANGING: readonly Action[] = [
  {
    id: "tidy",
    group: "Arrange",
    keys: ["Shift+T"],
    menu: ["sheet", "node"],
    run: tidyUp,
  },
  ...alignments,
  {
    id: "distribute-across",
    group: "Arrange",
    keys: ["Alt+Shift+H"],
    menu: ["node"],
    when: three,
    run: (workbench) =>
      place(workbench, t.actions["distribute-across"], (boxes) => distributed(boxes, "across")),
  },
  {
    id: "distribute-down",
    group: "Arrange",
    keys: ["Alt+Shift+V"],
    menu: ["node"],
    when: three,
    run: (workbench) =>
      place(workbench, t.actions["distribute-down"], (boxes) => distributed(boxes, "down")),
  },
  {
    id: "frame",
    group: "Frames",
    keys: ["Mod+G"],
    menu: ["node"],
    when: ({ view }) => view.getState().selection.length > 0,
    run: frameChosen,
  },
  {
    id: "fit-frame",
    group: "Frames",
    keys: ["Shift+F"],
    menu: ["frame"],
    when: (workbench) => chosenFrames(workbench).length > 0,
    run: fitFrames,
  },
  {
    id: "choose-framed",
    group: "Frames",
    keys: [],
    menu: ["frame"],
    when: (workbench) => chosenFrames(workbench).length > 0,
    run: (workbench) => workbench.view.setState({ selection: chosenNodes(workbench), frames: [] }),
  },
];

/** Move the chosen nodes to the places that are found for their boxes, as one step. */
function place(
  workbench: Workbench,
  label: string,
  find: (boxes: ReadonlyMap<NodeId, Box>) => ReadonlyMap<NodeId, Position>,
): void {
  const boxes = boxesNow(workbench);
  const chosen = new Map(
    workbench.view.getState().selection.flatMap((id) => {
      const box = boxes.get(id);
      return box ? [[id, box] as const] : [];
    }),
  );
  workbench.document.apply(together(label, [move(Object.fromEntries(find(chosen)))]));
}

/** Lay out the chosen nodes, or all of them. */
function tidyUp(workbench: Workbench): void {
  const sheet = workbench.document.sheet();
  const chosen = chosenNodes(workbench);
  const ids = chosen.length > 1 ? chosen : Object.keys(sheet.nodes);
  if (workbench.document.apply(tidy(sheet, ids, boxesNow(workbench)))) {
    requestAnimationFrame(() => workbench.camera.current?.reveal(ids));
  }
}

/** Put a frame around the chosen nodes, with the cursor in its title. */
function frameChosen(workbench: Workbench): void {
  const { document, view } = workbench;
  const boxes = boxesNow(workbench);
  const found = fitted(view.getState().selection.flatMap((id) => boxes.get(id) ?? []));
  if (found) {
    const id = freshName(new Set(document.sheet().frames.map((frame) => frame.id)));
    document.apply(addFrame({ id, title: t.inspector.frame, ...found }), []);
    view.setState({ frames: [id], renaming: frameNode(id) });
  }
}

function fitFrames(workbench: Workbench): void {
  const boxes = boxesNow(workbench);
  const commands = chosenFrames(workbench).flatMap((frame) => {
    const found = fitted(
      nodesIn(frame, boxes).flatMap((id) => boxes.get(id) ?? []),
      frame.text,
    );
    return found ? [setFrame(frame.id, "", found)] : [];
  });
  workbench.document.apply(together(t.steps.fitFrame, commands));
}
