/** The way to the open subgraph, each step of it leading back. */

import { ChevronRight } from "lucide-react";
import { openSheet } from "@/app/sheets";
import { useDocument, useSchema, useWorkbench } from "@/app/workbench";
import styles from "@/canvas/crumbs.module.css";
import { renameSubgraph } from "@/document/interface";
import { openAt, recordAt, runId } from "@/document/subgraphs";
import { titleOf } from "@/document/types";
import { t } from "@/strings/strings";

export function Crumbs() {
  const workbench = useWorkbench();
  const schema = useSchema();
  const workflow = useDocument((state) => state.workflow);
  const path = useDocument((state) => state.path);
  const open = openAt(workflow, path);
  if (open === undefined) {
    return null;
  }
  const name = workflow.subgraphs[open]?.name ?? "";
  const steps = path.slice(0, -1).map((id, depth) => {
    const record = recordAt(workflow, runId(path.slice(0, depth), id));
    const title = record ? titleOf(record, schema.nodes[record.class_type]?.title) : id;
    return { title, path: path.slice(0, depth + 1) };
  });
  return (
    <nav className={styles.crumbs} aria-label={t.subgraphs.way}>
      {[{ title: workflow.name || t.shell.workflow, path: [] }, ...steps].map((step) => (
        <span key={step.path.join(":")}>
          <button
            type="button"
            onClick={() => openSheet(workbench, step.path, [path[step.path.length] ?? ""])}
          >
            {step.title}
          </button>
          <ChevronRight size={13} aria-hidden />
        </span>
      ))}
      <input
        aria-label={t.subgraphs.name}
        autoComplete="off"
        spellCheck={false}
        value={name}
        size={Math.max(4, name.length)}
        onChange={(event) => {
          const command = renameSubgraph(open, event.target.value);
          workbench.document.apply({ ...command, key: `subgraph:${open}` });
        }}
      />
    </nav>
  );
}
