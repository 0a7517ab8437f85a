/** The workflow as a page to fill in: its fields, Run, its pictures, and what it made before. */

import { Play, Redo2, Square, Undo2, Workflow } from "lucide-react";
import { useEffect, useRef } from "react";
import { actionOf } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import { useDocument, useRuns, useStatus, useWorkbench } from "@/app/workbench";
import { Earlier } from "@/form/Earlier";
import { Field } from "@/form/Field";
import styles from "@/form/form.module.css";
import { Results } from "@/form/Results";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

export default function FormPage() {
  const name = useDocument((state) => state.workflow.name);
  const parameters = useDocument((state) => state.workflow.parameters);
  const page = useRef<HTMLElement>(null);
  useEffect(() => page.current?.focus({ preventScroll: true }), []);
  const fields = Object.entries(parameters);
  return (
    <main ref={page} className={styles.page} tabIndex={-1} aria-label={t.form.title}>
      <Header name={name} />
      <form
        className={styles.fields}
        aria-label={t.form.fields}
        onSubmit={(event) => event.preventDefault()}
      >
        {fields.length === 0 && <p className={styles.hint}>{t.form.empty}</p>}
        {fields.map(([field, place]) => (
          <Field key={field} name={field} place={place} />
        ))}
      </form>
      <Results />
      <RunBar />
      <Earlier />
    </main>
  );
}

function Header({ name }: { name: string }) {
  const workbench = useWorkbench();
  const canUndo = useDocument((state) => state.history.past.length > 0);
  const canRedo = useDocument((state) => state.history.future.length > 0);
  return (
    <header className={styles.header}>
      <img src="/favicon.svg" alt="" width={22} height={22} />
      <h1>{name}</h1>
      <IconButton
        icon={Undo2}
        label={t.actions.undo}
        keys={keyLabel("Mod+Z")}
        disabled={!canUndo}
        onClick={() => actionOf("undo").run(workbench)}
      />
      <IconButton
        icon={Redo2}
        label={t.actions.redo}
        keys={keyLabel("Mod+Shift+Z")}
        disabled={!canRedo}
        onClick={() => actionOf("redo").run(workbench)}
      />
      <button
        type="button"
        className={styles.quiet}
        onClick={() => workbench.view.setState({ page: "canvas" })}
      >
        <Workflow size={15} strokeWidth={1.75} />
        {t.form.toCanvas}
      </button>
    </header>
  );
}

/** What starts and stops a run, and how far it is; on a phone it stays at the thumb. */
function RunBar() {
  const workbench = useWorkbench();
  const waiting = useRuns((state) => state.jobs.length);
  const node = useRuns((state) => state.node);
  const notice = useRuns((state) => state.notice);
  const connected = useRuns((state) => state.connection === "open");
  return (
    <div className={styles.runBar}>
      {waiting > 0 && <Progress node={node} />}
      <div className={styles.buttons}>
        <button
          type="button"
          className={styles.run}
          title={`${t.actions.run} (${keyLabel("Mod+Enter")})`}
          onClick={() => actionOf("run").run(workbench)}
        >
          <Play size={14} fill="currentColor" />
          {t.actions.run}
        </button>
        {waiting > 0 && (
          <button
            type="button"
            className={styles.quiet}
            onClick={() => actionOf("cancel").run(workbench)}
          >
            <Square size={11} fill="currentColor" />
            {t.actions.cancel}
          </button>
        )}
      </div>
      <p className={styles.notice} role="status">
        {connected ? (waiting > 0 ? "" : notice) : t.shell.lost}
      </p>
    </div>
  );
}

function Progress({ node }: { node: string | null }) {
  const { value, max } = useStatus(node ?? "");
  const known = max > 1;
  return (
    <div className={styles.progress}>
      <div
        className={styles.line}
        role="progressbar"
        aria-label={t.form.progress}
        aria-valuemin={0}
        aria-valuemax={max || 1}
        aria-valuenow={value}
      >
        <div style={{ transform: `scaleX(${known ? value / max : 0})` }} />
      </div>
      <small>{node === null ? t.form.queued : known ? t.form.step(value, max) : ""}</small>
    </div>
  );
}
