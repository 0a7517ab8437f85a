/** The one bar: the name of the workflow, what can be done with it, and Run. */

import {
  Ellipsis,
  FolderOpen,
  Images,
  ListOrdered,
  PanelsTopLeft,
  Play,
  Plus,
  Redo2,
  Save,
  Settings2,
  SlidersHorizontal,
  Square,
  Undo2,
} from "lucide-react";
import { type Action, nameOf } from "@/actions/action";
import { actionOf } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import styles from "@/app/app.module.css";
import type { Side } from "@/app/view";
import { useDocument, useRuns, useView, useWorkbench } from "@/app/workbench";
import { rename } from "@/document/commands";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

export function TopBar() {
  const canUndo = useDocument((state) => state.history.past.length > 0);
  const canRedo = useDocument((state) => state.history.future.length > 0);
  return (
    <header className={styles.bar}>
      <img className={styles.mark} src="/favicon.svg" alt="" width={22} height={22} />
      <Name />
      <nav className={styles.tools} aria-label={t.shell.workflow}>
        <Tool action={actionOf("add")} icon={Plus} />
        <Tool action={actionOf("undo")} icon={Undo2} disabled={!canUndo} />
        <span className={styles.roomy}>
          <Tool action={actionOf("redo")} icon={Redo2} disabled={!canRedo} />
          <Tool action={actionOf("open")} icon={FolderOpen} />
          <Tool action={actionOf("save")} icon={Save} />
        </span>
        <SideTool action={actionOf("inspector")} icon={SlidersHorizontal} side="inspector" />
        <span className={styles.roomy}>
          <SideTool action={actionOf("queue")} icon={ListOrdered} side="queue" />
          <SideTool action={actionOf("history")} icon={Images} side="history" />
          <Tool action={actionOf("settings")} icon={Settings2} />
        </span>
        <Tool action={actionOf("form")} icon={PanelsTopLeft} />
        <span className={styles.tight}>
          <Tool action={actionOf("palette")} icon={Ellipsis} />
        </span>
      </nav>
      <RunButtons />
    </header>
  );
}

function Tool(props: { action: Action; icon: typeof Plus; disabled?: boolean }) {
  const workbench = useWorkbench();
  const { action, icon, disabled } = props;
  const [keys = ""] = action.keys;
  return (
    <IconButton
      icon={icon}
      label={nameOf(action)}
      keys={keyLabel(keys)}
      disabled={disabled ?? false}
      onClick={() => action.run(workbench)}
    />
  );
}

function SideTool(props: { action: Action; icon: typeof Plus; side: Side }) {
  const workbench = useWorkbench();
  const { action, icon, side } = props;
  const open = useView((state) => state.side === side);
  return (
    <IconButton
      icon={icon}
      label={nameOf(action)}
      keys={keyLabel(action.keys[0] ?? "")}
      pressed={open}
      onClick={() => action.run(workbench)}
    />
  );
}

function Name() {
  const { document } = useWorkbench();
  const name = useDocument((state) => state.workflow.name);
  const unsaved = useDocument((state) => state.workflow !== state.saved);
  return (
    <div className={styles.name}>
      <input
        aria-label={t.shell.name}
        autoComplete="off"
        spellCheck={false}
        value={name}
        size={Math.max(8, name.length)}
        onChange={(event) => document.apply(rename(event.target.value))}
      />
      {unsaved && <span title={t.shell.unsaved}>•</span>}
    </div>
  );
}

function RunButtons() {
  const workbench = useWorkbench();
  const waiting = useRuns((state) => state.jobs.length);
  return (
    <div className={styles.run}>
      {waiting > 0 && (
        <button
          type="button"
          className={styles.cancelButton}
          aria-label={t.actions.cancel}
          title={`${t.actions.cancel} (${keyLabel("Mod+Alt+Enter")})`}
          onClick={() => actionOf("cancel").run(workbench)}
        >
          <Square size={11} fill="currentColor" />
          {t.actions.cancel}
        </button>
      )}
      <button
        type="button"
        className={styles.runButton}
        aria-label={t.actions.run}
        title={`${t.actions.run} (${keyLabel("Mod+Enter")})`}
        onClick={() => actionOf("run").run(workbench)}
      >
        <Play size={13} fill="currentColor" />
        {t.actions.run}
        {waiting > 1 && <span className={styles.waiting}>{waiting}</span>}
      </button>
    </div>
  );
}
