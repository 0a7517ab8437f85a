/** One quiet line: what is going on, and what is wrong. */

import { useShallow } from "zustand/react/shallow";
import styles from "@/app/app.module.css";
import { useDocument, useRuns, useSchema, useStatus, useView, useWorkbench } from "@/app/workbench";
import { recordAt } from "@/document/subgraphs";
import { titleOf } from "@/document/types";
import { Problems } from "@/panels/Problems";
import { t } from "@/strings/strings";

export function StatusLine() {
  const { view } = useWorkbench();
  const { connection, node, notice, problems } = useRuns(
    useShallow(({ connection, node, notice, problems }) => ({
      connection,
      node,
      notice,
      problems,
    })),
  );
  const open = useView((state) => state.problemsOpen);
  const { connecting, connected, lost } = t.shell;
  const said = { connecting, open: connected, lost }[connection];
  return (
    <footer className={styles.status}>
      {open && problems.length > 0 && <Problems problems={problems} />}
      <span className={styles.connection} data-state={connection} title={said} />
      <span className={styles.notice}>
        {connection !== "open" && <span>{said}</span>}
        {node === null ? null : <Running node={node} />}
        <span role="status">{node === null ? notice : ""}</span>
      </span>
      {problems.length > 0 && (
        <button
          type="button"
          className={styles.problemsButton}
          aria-expanded={open}
          onClick={() => view.setState({ problemsOpen: !open })}
        >
          {t.shell.problems(problems.length)}
        </button>
      )}
      <button
        type="button"
        className={styles.statusButton}
        onClick={() => view.setState({ shortcutsOpen: true })}
      >
        {t.shell.shortcuts}
      </button>
    </footer>
  );
}

function Running({ node }: { node: string }) {
  const schema = useSchema();
  const record = useDocument((state) => recordAt(state.workflow, node));
  const { value, max } = useStatus(node);
  const title = record ? titleOf(record, schema.nodes[record.class_type]?.title) : node;
  return <span>{max > 1 ? t.shell.step(title, value, max) : title}</span>;
}
