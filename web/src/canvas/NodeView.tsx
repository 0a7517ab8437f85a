/** A node on the canvas: title, sockets, widgets, pictures. */

import { type NodeProps, useStore } from "@xyflow/react";
import { memo } from "react";
import { useRunId, useSchema, useStatus } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import { isFar } from "@/canvas/lod";
import { Mat } from "@/canvas/Mat";
import { NodeHead } from "@/canvas/NodeHead";
import type { CanvasNode } from "@/canvas/project";
import { Socket } from "@/canvas/Socket";
import { WidgetRow } from "@/canvas/WidgetRow";
import { definitionOf, isEdge } from "@/document/subgraphs";
import { isLink, titleOf } from "@/document/types";
import { canBeFed } from "@/document/typing";
import type { NodeStatus } from "@/runtime/nodeStatus";
import { t } from "@/strings/strings";

export const NodeView = memo(function NodeView({ id, data, selected }: NodeProps<CanvasNode>) {
  const { record, spec, geometry } = data;
  const schema = useSchema();
  const run = useRunId(id);
  const inside = run !== id;
  const status = useStatus(run);
  const far = useStore(isFar);
  const title = titleOf(record, spec?.title);
  const wired = (input: string) => isLink(record.inputs[input]);
  const failed = status.error !== null || Object.keys(status.inputErrors).length > 0;

  // A field that nothing here could feed shows no socket; in a subgraph the entrance feeds any.
  const sockets = geometry.sockets.filter(
    (place) => !place.quiet || inside || wired(place.input) || canBeFed(schema, place.type),
  );

  if (far) {
    return (
      <div
        className={styles.node}
        data-selected={selected || undefined}
        data-failed={failed || !spec || undefined}
        data-far
      >
        <Progress status={status} />
        <header className={styles.title}>
          <span className={styles.titleText}>{title}</span>
        </header>
      </div>
    );
  }
  return (
    <div
      className={styles.node}
      data-selected={selected || undefined}
      data-stage={status.stage}
      data-failed={failed || !spec || undefined}
      data-mode={record._meta.mode}
      data-instance={definitionOf(record) !== undefined || undefined}
      data-edge={isEdge(record) || undefined}
    >
      <Progress status={status} />
      <NodeHead id={id} title={title} record={record} spec={spec} status={status} />
      {!spec && <p className={styles.unknown}>{t.inspector.unknown(record.class_type)}</p>}
      {sockets.map((place) => (
        <Socket
          key={place.id}
          node={id}
          place={place}
          wired={place.side === "output" || wired(place.input)}
          problem={place.side === "input" ? status.inputErrors[place.input] : undefined}
        />
      ))}
      {!record._meta.collapsed && (
        <>
          {geometry.sockets
            .filter((place) => !place.quiet)
            .map((place) => (
              <span
                key={place.id}
                className={styles.label}
                data-side={place.side}
                data-problem={
                  place.side === "input" && status.inputErrors[place.input] ? true : undefined
                }
                title={place.side === "input" ? status.inputErrors[place.input] : undefined}
                style={{ top: place.y }}
              >
                {place.title}
              </span>
            ))}
          {geometry.widgets.map((place) => (
            <WidgetRow
              key={place.input.name}
              node={id}
              nodeTitle={title}
              place={place}
              record={record}
              problem={status.inputErrors[place.input.name]}
            />
          ))}
        </>
      )}
      {geometry.mat && (
        <Mat node={run} title={title} mat={geometry.mat} pictures={status.pictures} />
      )}
      <Said status={status} />
    </div>
  );
});

/** What went wrong, or what the node has to say, under the node. */
function Said({ status: { error, notes } }: { status: NodeStatus }) {
  if (error !== null) {
    return (
      <p className={styles.error} role="alert">
        {error}
      </p>
    );
  }
  return notes.length > 0 ? (
    <p className={`${styles.said} nowheel nodrag`} role="note">
      {notes.join("\n")}
    </p>
  ) : null;
}

function Progress({ status }: { status: NodeStatus }) {
  if (status.stage !== "running") {
    return null;
  }
  const share = status.max > 0 ? status.value / status.max : 0;
  return (
    <div
      className={styles.progress}
      role="progressbar"
      aria-label={t.form.progress}
      aria-valuemin={0}
      aria-valuemax={status.max || 1}
      aria-valuenow={status.value}
    >
      <div style={{ transform: `scaleX(${Math.max(0.02, share)})` }} />
    </div>
  );
}
