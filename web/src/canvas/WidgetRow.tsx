/** One input with a field: its label, and its widget or the wire that drives it. */

import { useRecord, useSchema, useWorkbench } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import type { WidgetPlace } from "@/canvas/geometry";
import { setValue } from "@/document/commands";
import { defaultOf } from "@/document/schema";
import {
  isLink,
  type Json,
  type Link,
  type NodeId,
  type NodeRecord,
  titleOf,
} from "@/document/types";
import { t } from "@/strings/strings";
import { kindOf } from "@/widgets/kinds";
import { WIDGETS } from "@/widgets/registry";

interface WidgetRowProps {
  node: NodeId;
  nodeTitle: string;
  place: WidgetPlace;
  record: NodeRecord;
  problem: string | undefined;
}

export function WidgetRow({ node, nodeTitle, place, record, problem }: WidgetRowProps) {
  const { document } = useWorkbench();
  const { input, y, height } = place;
  const kind = kindOf(input);
  const value = record.inputs[input.name];
  const Widget = WIDGETS[kind];
  const change = (next: Json, gesture?: string) =>
    document.apply(setValue(node, input.name, next, gesture));
  const bare = kind === "paragraph" || kind === "image";
  return (
    <div
      className={`${styles.row} nodrag`}
      data-kind={kind}
      data-input={input.name}
      data-problem={problem ? true : undefined}
      title={problem ?? input.help}
      style={{ top: y, height }}
    >
      {!bare && <span className={styles.rowLabel}>{input.title}</span>}
      {isLink(value) ? (
        <Driven link={value} label={bare ? input.title : ""} />
      ) : (
        <Widget
          node={node}
          nodeTitle={nodeTitle}
          input={input}
          value={(value as Json | undefined) ?? defaultOf(input) ?? null}
          onChange={change}
        />
      )}
    </div>
  );
}

/** Where a wired value comes from, in place of the field. */
function Driven({ link, label }: { link: Link; label: string }) {
  const schema = useSchema();
  const source = useRecord(link[0]);
  const title = source ? titleOf(source, schema.nodes[source.class_type]?.title) : link[0];
  return (
    <span className={styles.driven}>
      {label ? `${label} ${t.inspector.from(title)}` : t.inspector.from(title)}
    </span>
  );
}
