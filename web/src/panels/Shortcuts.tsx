/** Every key, from the list of actions. */

import { nameOf } from "@/actions/action";
import { ACTIONS } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import { useView, useWorkbench } from "@/app/workbench";
import styles from "@/panels/panels.module.css";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";

/** What the pointer does, and keys that are no command. */
function gestures(): (readonly [string, string])[] {
  const { gestures: said } = t.shortcuts;
  return [
    said.add,
    said.connect,
    said.find,
    said.several,
    [said.free[0], said.free[1](keyLabel("Alt"))],
    [said.menu[0], said.menu[1](keyLabel("Shift+F10"))],
    said.number,
    said.rename,
    [said.copy, ["C", "X", "V"].map((key) => keyLabel(`Mod+${key}`)).join(", ")],
  ];
}

export function Shortcuts() {
  const { view } = useWorkbench();
  if (!useView((state) => state.shortcutsOpen)) {
    return null;
  }
  const rows = [
    ...ACTIONS.filter(({ keys }) => keys.length > 0).map(
      (action) =>
        [nameOf(action), action.keys.slice(0, 2).map(keyLabel).join(t.shortcuts.or)] as const,
    ),
    ...gestures(),
  ];
  return (
    <Dialog title={t.shortcuts.title} onClose={() => view.setState({ shortcutsOpen: false })}>
      <dl className={styles.keys}>
        {rows.map(([title, keys]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{keys}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.className}>{t.shortcuts.drawn}</p>
    </Dialog>
  );
}
