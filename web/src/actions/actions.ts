/** Every command of the page: its name, its keys, when it applies and what it does. */

import {
  type Action,
  chosenFrames,
  chosenNodes,
  nodesChosen,
  nodesOrFramesChosen,
} from "@/actions/action";
import { ARRANGING } from "@/actions/arranging";
import { OF_NODES } from "@/actions/nodes";
import { SIDES } from "@/actions/sides";
import { SUBGRAPHS } from "@/actions/subgraphs";
import { openFile, saveWorkflow } from "@/app/files";
import { goTo } from "@/app/sheets";
import type { Workbench } from "@/app/workbench";
import { cutId, frameNode } from "@/canvas/ends";
import { pasting, pieceOf } from "@/document/clipboard";
import { disconnect, remove, together } from "@/document/commands";
import { removeFrames } from "@/document/frames";
import { t } from "@/strings/strings";

const somethingChosen = (workbench: Workbench) =>
  nodesOrFramesChosen(workbench) || workbench.view.getState().wires.length > 0;

const DUPLICATE_OFFSET = [32, 32] as const;

export const ACTIONS: readonly Action[] = [
  {
    id: "run",
    inForm: true,
    group: "Run",
    keys: ["Mod+Enter"],
    menu: ["sheet"],
    inText: true,
    run: (workbench) =>
      void workbench.runs.run().then(() => {
        const [problem] = workbench.runs.state.getState().problems;
        if (problem?.node) {
          goTo(workbench, problem.node);
        }
      }),
  },
  {
    id: "run-to",
    group: "Run",
    keys: ["Mod+Shift+Enter"],
    menu: ["node"],
    inText: true,
    when: nodesChosen,
    run: ({ runs, view }) => void runs.run(view.getState().selection),
  },
  {
    id: "cancel",
    inForm: true,
    group: "Run",
    keys: ["Mod+Alt+Enter"],
    inText: true,
    when: ({ runs }) => runs.state.getState().jobs.length > 0,
    run: ({ runs }) => void runs.cancel(),
  },
  {
    id: "undo",
    inForm: true,
    group: "Edit",
    keys: ["Mod+Z"],
    menu: ["sheet"],
    inText: true,
    when: ({ document }) => document.state.getState().history.past.length > 0,
    run: (workbench) => step(workbench, "undo"),
  },
  {
    id: "redo",
    inForm: true,
    group: "Edit",
    keys: ["Mod+Shift+Z", "Mod+Y"],
    inText: true,
    when: ({ document }) => document.state.getState().history.future.length > 0,
    run: (workbench) => step(workbench, "redo"),
  },
  {
    id: "add",
    group: "Nodes",
    keys: ["Space"],
    menu: ["sheet"],
    run: ({ view, camera }, at) => {
      const centre = camera.current?.centre();
      if (at) {
        view.setState({ search: { at: at.at, place: at.place, from: null } });
      } else if (centre) {
        view.setState({ search: { at: centre.page, place: centre.canvas, from: null } });
      }
    },
  },
  ...OF_NODES,
  ...SUBGRAPHS,
  {
    id: "rename",
    group: "Edit",
    keys: ["F2"],
    menu: ["node", "frame"],
    when: nodesOrFramesChosen,
    run: (workbench) => {
      const [frame] = chosenFrames(workbench);
      const [node] = workbench.view.getState().selection;
      workbench.view.setState({ renaming: node ?? (frame ? frameNode(frame.id) : null) });
    },
  },
  {
    id: "duplicate",
    group: "Edit",
    keys: ["Mod+D"],
    menu: ["node", "frame"],
    when: nodesOrFramesChosen,
    run: duplicate,
  },
  {
    id: "select-all",
    group: "Edit",
    keys: ["Mod+A"],
    menu: ["sheet"],
    run: ({ document, view }) => view.setState({ selection: Object.keys(document.sheet().nodes) }),
  },
  ...ARRANGING,
  {
    id: "save",
    inForm: true,
    group: "Workflow",
    keys: ["Mod+S"],
    inText: true,
    run: (workbench) => saveWorkflow(workbench),
  },
  {
    id: "open",
    inForm: true,
    group: "Workflow",
    keys: ["Mod+O"],
    inText: true,
    run: (workbench) => void openFile(workbench),
  },
  {
    id: "form",
    group: "View",
    keys: ["F"],
    inForm: true,
    menu: ["sheet"],
    run: ({ view }) => view.setState(({ page }) => ({ page: page === "form" ? "canvas" : "form" })),
  },
  {
    id: "link",
    group: "Workflow",
    keys: ["Mod+Shift+L"],
    inText: true,
    inForm: true,
    run: ({ view }) => view.setState({ talk: { about: "link" } }),
  },
  ...SIDES,
  {
    id: "fit",
    group: "View",
    keys: ["."],
    menu: ["sheet"],
    run: ({ camera }) => camera.current?.fit(),
  },
  {
    id: "palette",
    inForm: true,
    group: "View",
    keys: ["Mod+K"],
    inText: true,
    menu: ["sheet"],
    run: ({ view }) => view.setState({ paletteOpen: true }),
  },
  {
    id: "shortcuts",
    group: "View",
    keys: ["?"],
    run: ({ view }) => view.setState({ shortcutsOpen: true }),
  },
  {
    id: "settings",
    inForm: true,
    group: "View",
    keys: ["Mod+,"],
    inText: true,
    run: ({ view }) => view.setState({ settingsOpen: true }),
  },
  {
    id: "delete",
    group: "Edit",
    keys: ["Delete", "Backspace"],
    menu: ["node", "frame", "wire"],
    when: somethingChosen,
    run: deleteChosen,
  },
];

/** The action of that name. */
export function actionOf(id: Action["id"]): Action {
  const action = ACTIONS.find((candidate) => candidate.id === id);
  if (!action) {
    throw new Error(`There is no action called ${id}.`);
  }
  return action;
}

function step({ document, runs, camera, view }: Workbench, way: "undo" | "redo"): void {
  const before = document.workflow();
  const done = document[way]();
  if (!done) {
    return;
  }
  const after = document.workflow();
  runs.state.setState({ notice: (way === "undo" ? t.steps.undone : t.steps.redone)(done.label) });
  if (before.id !== after.id) {
    runs.reset();
    requestAnimationFrame(() => camera.current?.fit());
    return;
  }
  view.setState({ wires: [] });
  requestAnimationFrame(() => camera.current?.reveal(done.touched));
}

function duplicate(workbench: Workbench): void {
  const { document, view } = workbench;
  const workflow = document.workflow();
  const chosen = chosenFrames(workbench).map(({ id }) => id);
  const { path } = document.state.getState();
  const piece = pieceOf(workflow, chosenNodes(workbench), chosen, document.sheet());
  const { command, nodes, frames } = pasting(
    workflow,
    piece,
    DUPLICATE_OFFSET,
    t.actions.duplicate,
    path,
  );
  document.apply(command, nodes);
  view.setState({ frames });
}

function deleteChosen(workbench: Workbench): void {
  const { document, view, fallback } = workbench;
  const { selection, wires } = view.getState();
  const frames = chosenFrames(workbench).map(({ id }) => id);
  const cut = disconnect(wires.map(cutId), fallback);
  const gone = remove(selection, fallback);
  const unframed = removeFrames(frames);
  const label = selection.length > 0 ? gone.label : frames.length > 0 ? unframed.label : cut.label;
  document.apply(together(label, [cut, gone, unframed]), []);
  view.setState({ wires: [], frames: [] });
}
