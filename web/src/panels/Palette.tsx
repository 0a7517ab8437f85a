/** All commands that apply now, found by typing: from the one list of actions. */

import { nameOf } from "@/actions/action";
import { ACTIONS } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import { useView, useWorkbench } from "@/app/workbench";
import { searchTitles } from "@/definitions/search";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";
import { Picker } from "@/ui/Picker";

export function Palette() {
  return useView((state) => state.paletteOpen) ? <Panel /> : null;
}

function Panel() {
  const workbench = useWorkbench();
  const close = () => workbench.view.setState({ paletteOpen: false });
  const { page } = workbench.view.getState();
  const applicable = ACTIONS.filter(
    ({ id, when, inForm }) =>
      id !== "palette" && (page === "canvas" || inForm) && (when?.(workbench) ?? true),
  ).map((action) => ({ title: nameOf(action), group: t.groups[action.group], action }));
  return (
    <Dialog title={t.palette.title} onClose={close}>
      <Picker
        label={t.palette.search}
        listLabel={t.palette.title}
        placeholder={t.palette.hint}
        none={t.palette.none}
        find={(query) =>
          searchTitles(applicable, query).map(({ title, group, action }) => ({
            key: action.id,
            text: title,
            note: action.keys[0] ? keyLabel(action.keys[0]) : group,
            action,
          }))
        }
        onChoose={({ action }) => {
          close();
          // The page gets the focus back first; what the command opens then takes it.
          requestAnimationFrame(() => action.run(workbench));
        }}
      />
    </Dialog>
  );
}
