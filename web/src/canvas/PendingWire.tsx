/** The wire that follows the pointer, with the reason where it cannot end. */

import { type ConnectionLineComponentProps, getBezierPath } from "@xyflow/react";
import type { CSSProperties } from "react";
import { useSchema, useSheet, useView } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import { endOf } from "@/canvas/ends";
import { hueOf } from "@/canvas/hues";
import { typeAt, whyNot } from "@/document/typing";

const REASON_WIDTH_PX = 260;

export function PendingWire(props: ConnectionLineComponentProps) {
  const schema = useSchema();
  const sheet = useSheet((open) => open);
  const from = useView((state) => state.connecting);
  const { fromX, fromY, toX, toY, fromPosition, toPosition, toHandle } = props;
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    targetX: toX,
    targetY: toY,
    sourcePosition: fromPosition,
    targetPosition: toPosition,
    curvature: 0.3,
  });
  const to = toHandle ? endOf(toHandle.nodeId, toHandle.id ?? "") : undefined;
  const reason = from && to ? whyNot(schema, sheet, from, to) : undefined;
  const type = from ? typeAt(schema, sheet, from) : undefined;
  const style = { "--hue": hueOf(type ?? "*") } as CSSProperties;
  return (
    <g style={style} className={styles.pending}>
      <path d={path} fill="none" />
      {reason && (
        <foreignObject x={toX + 14} y={toY - 14} width={REASON_WIDTH_PX} height={56}>
          <div className={styles.reason}>{reason}</div>
        </foreignObject>
      )}
    </g>
  );
}
