/** What can be done with chosen nodes: fold, connect, leave out, look inside, paint a mask. */

import { type Action, chosenNodes, nodesChosen, nodesOrFramesChosen } from "@/actions/action";
import type { Field } from "@/app/view";
import type { Workbench } from "@/app/workbench";
import { setMeta, together } from "@/document/commands";
import { t } from "@/strings/strings";

export const OF_NODES: readonly Action[] = [
  {
    id: "collapse",
    group: "Nodes",
    keys: ["Alt+C"],
    menu: ["node", "frame"],
    when: nodesOrFramesChosen,
    run: (workbench) => {
      const { document } = workbench;
      const ids = chosenNodes(workbench);
      const fold = ids.some((id) => !document.sheet().nodes[id]?._meta.collapsed);
      const label = fold ? t.steps.fold : t.steps.unfold;
      document.apply(
        together(
          label,
          ids.map((id) => setMeta(id, label, { collapsed: fold })),
        ),
      );
    },
  },
  {
    id: "connect",
    group: "Nodes",
    keys: ["C"],
    menu: ["node"],
    when: nodesChosen,
    run: ({ view }) => view.setState(({ selection }) => ({ connectFrom: selection[0] ?? null })),
  },
  {
    id: "mute",
    group: "Nodes",
    keys: ["M"],
    menu: ["node", "frame"],
    when: nodesOrFramesChosen,
    run: (workbench) => switchMode(workbench, "mute", t.steps.mute),
  },
  {
    id: "bypass",
    group: "Nodes",
    keys: ["B"],
    menu: ["node", "frame"],
    when: nodesOrFramesChosen,
    run: (workbench) => switchMode(workbench, "bypass", t.steps.bypass),
  },
  {
    id: "help",
    group: "Nodes",
    keys: ["F1"],
    menu: ["node"],
    when: nodesChosen,
    run: (workbench) => help(workbench, "about"),
  },
  {
    id: "source",
    group: "Nodes",
    keys: ["Shift+F1"],
    menu: ["node"],
    when: nodesChosen,
    run: (workbench) => help(workbench, "source"),
  },
  {
    id: "mask",
    group: "Nodes",
    keys: ["Shift+M"],
    menu: ["node"],
    when: (workbench) => maskable(workbench) !== undefined,
    run: (workbench) => workbench.view.setState({ mask: maskable(workbench) ?? null }),
  },
];

function help({ view }: Workbench, page: "about" | "source"): void {
  const [node] = view.getState().selection;
  view.setState({ help: node === undefined ? null : { node, page } });
}

/** The field of the chosen node that holds a picture of the input folder. */
function maskable({ document, schema, view }: Workbench): Field | undefined {
  const [node = ""] = view.getState().selection;
  const record = document.sheet().nodes[node];
  const input = schema
    .getState()
    .nodes[record?.class_type ?? ""]?.inputs.find(({ name, upload }) => {
      const value = record?.inputs[name];
      return upload && typeof value === "string" && value !== "";
    });
  return input && { node, input: input.name };
}

function switchMode(workbench: Workbench, mode: string, label: string): void {
  const { document } = workbench;
  const ids = chosenNodes(workbench);
  const on = ids.some((id) => document.sheet().nodes[id]?._meta.mode !== mode);
  const next = on ? mode : "always";
  document.apply(
    together(
      label,
      ids.map((id) => setMeta(id, label, { mode: next })),
    ),
  );
}
