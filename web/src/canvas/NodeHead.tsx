/** The top of a node: its title, what can be opened of it, and how its run goes. */

import { CircleHelp, CornerRightDown } from "lucide-react";
import { openSheet } from "@/app/sheets";
import { useWorkbench } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import { TITLE_PX } from "@/canvas/geometry";
import { Title } from "@/canvas/Title";
import { setMeta } from "@/document/commands";
import { renameSubgraph } from "@/document/interface";
import type { NodeSpec } from "@/document/schema";
import { definitionOf } from "@/document/subgraphs";
import type { NodeId, NodeRecord } from "@/document/types";
import type { NodeStatus } from "@/runtime/nodeStatus";
import { t } from "@/strings/strings";

interface NodeHeadProps {
  id: NodeId;
  title: string;
  record: NodeRecord;
  spec: NodeSpec | undefined;
  status: NodeStatus;
}

export function NodeHead({ id, title, record, spec, status }: NodeHeadProps) {
  const workbench = useWorkbench();
  const { document, view } = workbench;
  const definition = definitionOf(record);
  // Without a title of its own an instance is called as its definition: that is what is renamed.
  const rename = (text: string) =>
    document.apply(
      definition === undefined || record._meta.title
        ? setMeta(id, t.steps.renameNode, { title: text })
        : renameSubgraph(definition, text),
    );
  return (
    <header className={styles.title} style={{ height: TITLE_PX }}>
      {spec?.hidden ? (
        <span className={styles.titleText}>{title}</span>
      ) : (
        <Title id={id} title={title} onRename={rename} />
      )}
      {spec && definition !== undefined && (
        <button
          type="button"
          className={styles.open}
          aria-label={t.subgraphs.open(title)}
          title={t.subgraphs.open(title)}
          onClick={() => openSheet(workbench, [...document.state.getState().path, id])}
        >
          <CornerRightDown size={14} />
        </button>
      )}
      {spec && !spec.hidden && (
        <button
          type="button"
          className={styles.help}
          aria-label={t.sheet.help(title)}
          title={spec.title}
          onClick={() => view.setState({ help: { node: id, page: "about" } })}
        >
          <CircleHelp size={14} />
        </button>
      )}
      <span className={styles.time}>{timeOf(status, record._meta.mode)}</span>
    </header>
  );
}

function timeOf({ stage, value, max, seconds }: NodeStatus, mode: string | undefined): string {
  if (mode === "mute" || mode === "never") {
    return t.sheet.muted;
  }
  if (mode === "bypass") {
    return t.sheet.bypassed;
  }
  switch (stage) {
    case "running":
      return max > 1 ? `${value} / ${max}` : "";
    case "reused":
      return t.sheet.kept;
    case "done":
      return seconds === null ? "" : duration(seconds);
    default:
      return "";
  }
}

function duration(seconds: number): string {
  if (seconds < 0.1) {
    return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  }
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}
