/** Making subgraphs and walking through them; dots on wires. */

import { type Action, boxesNow, chosenFrames, chosenNodes } from "@/actions/action";
import { leaveSheet, openSheet } from "@/app/sheets";
import type { Field, MenuRequest } from "@/app/view";
import type { Workbench } from "@/app/workbench";
import { cutId } from "@/canvas/ends";
import { REROUTE_PX } from "@/canvas/geometry";
import { freshId } from "@/document/commands";
import { pack, whyNotPack } from "@/document/packing";
import { addReroute } from "@/document/reroutes";
import { definitionOf, openAt } from "@/document/subgraphs";
import { isLink, type NodeId, type Position } from "@/document/types";
import { unpack } from "@/document/unpacking";
import { promote } from "@/document/wiring";
import { t } from "@/strings/strings";

export const SUBGRAPHS: readonly Action[] = [
  {
    id: "pack",
    group: "Nodes",
    keys: ["Mod+Shift+G"],
    menu: ["node", "frame"],
    when: (workbench) => chosenNodes(workbench).length > 0,
    run: packChosen,
  },
  {
    id: "open-subgraph",
    group: "Nodes",
    keys: ["Alt+ArrowDown"],
    menu: ["node"],
    when: (workbench) => chosenInstance(workbench) !== undefined,
    run: (workbench) => {
      const id = chosenInstance(workbench);
      if (id !== undefined) {
        openSheet(workbench, [...workbench.document.state.getState().path, id]);
      }
    },
  },
  {
    id: "leave-subgraph",
    group: "Nodes",
    keys: ["Alt+ArrowUp"],
    menu: ["sheet"],
    when: isInside,
    run: leaveSheet,
  },
  {
    id: "unpack",
    group: "Nodes",
    keys: ["Mod+Alt+G"],
    menu: ["node"],
    when: (workbench) => chosenInstance(workbench) !== undefined,
    run: unpackChosen,
  },
  {
    id: "promote",
    group: "Nodes",
    keys: [],
    menu: ["node"],
    when: (workbench) => promotable(workbench, workbench.view.getState().menu) !== undefined,
    run: (workbench, at) => {
      const field = promotable(workbench, at ?? null);
      if (field) {
        const { document, schema } = workbench;
        document.apply(promote(schema.getState(), document.sheet(), field.node, field.input));
      }
    },
  },
  {
    id: "reroute",
    group: "Nodes",
    keys: ["R"],
    menu: ["wire"],
    when: ({ view }) => view.getState().wires.length > 0,
    run: rerouteChosen,
  },
];

function isInside({ document }: Workbench): boolean {
  return document.state.getState().path.length > 0;
}

/** The one chosen node, if it is an instance of a subgraph. */
function chosenInstance({ document, view }: Workbench): NodeId | undefined {
  const [id = "", ...others] = view.getState().selection;
  const is = definitionOf(document.sheet().nodes[id]) !== undefined;
  return is && others.length === 0 ? id : undefined;
}

function packChosen(workbench: Workbench): void {
  const { document, schema, view, runs } = workbench;
  const ids = chosenNodes(workbench);
  const reason = whyNotPack(document.sheet(), ids);
  if (reason !== undefined) {
    runs.state.setState({ notice: reason });
    return;
  }
  const frames = chosenFrames(workbench);
  const { command, instance } = pack(
    schema.getState(),
    document.workflow(),
    document.sheet(),
    ids,
    frames.map(({ id }) => id),
    frames[0]?.title || t.subgraphs.fresh,
  );
  document.apply(command, [instance]);
  view.setState({ frames: [], wires: [], renaming: instance });
}

function unpackChosen(workbench: Workbench): void {
  const { document, schema, fallback } = workbench;
  const id = chosenInstance(workbench);
  const made =
    id === undefined
      ? undefined
      : unpack(schema.getState(), document.workflow(), document.sheet(), id, fallback);
  if (made) {
    document.apply(made.command, made.nodes);
  }
}

/** The field under the menu, if it can be shown outside the open subgraph. */
function promotable({ document }: Workbench, at: MenuRequest | null): Field | undefined {
  const field = at?.field;
  const { workflow, path } = document.state.getState();
  const value = document.sheet().nodes[field?.node ?? ""]?.inputs[field?.input ?? ""];
  return field && openAt(workflow, path) !== undefined && !isLink(value) ? field : undefined;
}

/** Put a dot on each chosen wire: where the menu was opened, or in the middle. */
function rerouteChosen(workbench: Workbench, at?: MenuRequest): void {
  const { document, view } = workbench;
  const ids: NodeId[] = [];
  for (const wire of view.getState().wires) {
    const end = cutId(wire);
    const middle = at?.place ?? middleOf(workbench, end);
    const id = freshId(document.sheet());
    const place = [
      Math.round(middle[0] - REROUTE_PX / 2),
      Math.round(middle[1] - REROUTE_PX / 2),
    ] as const;
    document.apply(addReroute(id, end, place));
    ids.push(id);
  }
  view.setState({ selection: ids, wires: [] });
}

/** Halfway between the nodes that a wire joins. */
function middleOf(
  workbench: Workbench,
  { target, input }: { target: NodeId; input: string },
): Position {
  const boxes = boxesNow(workbench);
  const link = workbench.document.sheet().nodes[target]?.inputs[input];
  const to = boxes.get(target);
  const from = isLink(link) ? boxes.get(link[0]) : undefined;
  return from && to
    ? [(from.x + from.width + to.x) / 2, (from.y + to.y) / 2 + REROUTE_PX]
    : [to?.x ?? 0, to?.y ?? 0];
}
