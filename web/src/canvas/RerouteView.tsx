/** A dot on a wire. */

import { Handle, type NodeProps, Position } from "@xyflow/react";
import { type CSSProperties, memo } from "react";
import { useSchema, useSheet } from "@/app/workbench";
import { hueOf } from "@/canvas/hues";
import type { CanvasNode } from "@/canvas/project";
import styles from "@/canvas/reroute.module.css";
import { REROUTE_INPUT } from "@/document/reroutes";
import { typeTitle } from "@/document/schema";
import { typeAt } from "@/document/typing";

export const RerouteView = memo(function RerouteView({ id, selected }: NodeProps<CanvasNode>) {
  const schema = useSchema();
  const end = { node: id, side: "output", slot: 0, input: "" } as const;
  const type = useSheet((sheet) => typeAt(schema, sheet, end)) ?? "*";
  return (
    <div
      className={styles.reroute}
      style={{ "--hue": hueOf(type) } as CSSProperties}
      title={typeTitle(schema, type)}
      data-selected={selected || undefined}
    >
      <Handle id={`in:${REROUTE_INPUT}`} type="target" position={Position.Left} />
      <Handle id="out:0" type="source" position={Position.Right} />
    </div>
  );
});
