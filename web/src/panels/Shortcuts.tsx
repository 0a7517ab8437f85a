/** Every key, from the list of actions. */

import { nameOf } from "@/actions/action";
import { ACTIONS } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import { useView, useWorkbench } from "@/app/workbench";
import styles from "@/panels/panels.module.css";
import { Dialog } from "@/ui/Dialog";

const GESTURES: readonly (readonly [string, string])[] = [
  ["Add node here", "Double click on the sheet"],
  ["Connect", "Drag from one socket to another"],
  ["Find a fitting node", "Drop a wire on the sheet"],
  ["Select several", "Shift and drag on the sheet"],
  ["Move without snapping", `Hold ${keyLabel("Alt")} while dragging`],
  ["Menu of a node, wire or frame", `Right click, or ${keyLabel("Shift+F10")}`],
  ["Change a number", "Drag it sideways, or use the arrow keys"],
  ["Rename a node", "Double click on its title"],
  ["Copy, cut and paste nodes", `${keyLabel("Mod+C")}, ${keyLabel("Mod+X")}, ${keyLabel("Mod+V")}`],
];

export function Shortcuts() {
  const { view } = useWorkbench();
  if (!useView((state) => state.shortcutsOpen)) {
    return null;
  }
  const rows = [
    ...ACTIONS.filter(({ keys }) => keys.length > 0).map(
      (action) => [nameOf(action), action.keys.slice(0, 2).map(keyLabel).join(" or ")] as const,
    ),
    ...GESTURES,
  ];
  return (
    <Dialog title="Keyboard and mouse" onClose={() => view.setState({ shortcutsOpen: false })}>
      <dl className={styles.keys}>
        {rows.map(([title, keys]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{keys}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.className}>The canvas is drawn with React Flow.</p>
    </Dialog>
  );
}
