/** All wires from far away: one path per type instead of a component per wire. */

import { getBezierPath, Position, ViewportPortal } from "@xyflow/react";
import { type CSSProperties, useMemo } from "react";
import styles from "@/canvas/canvas.module.css";
import { hueOf } from "@/canvas/hues";
import type { CanvasNode, Wire } from "@/canvas/project";

export function FarWires({
  nodes,
  wires,
}: {
  nodes: readonly CanvasNode[];
  wires: readonly Wire[];
}) {
  const paths = useMemo(() => pathsByType(nodes, wires), [nodes, wires]);
  return (
    <ViewportPortal>
      <svg className={styles.farWires} aria-hidden="true">
        {[...paths].map(([type, path]) => (
          <path key={type} d={path} style={{ "--hue": hueOf(type) } as CSSProperties} />
        ))}
      </svg>
    </ViewportPortal>
  );
}

function pathsByType(nodes: readonly CanvasNode[], wires: readonly Wire[]): Map<string, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const paths = new Map<string, string>();
  for (const { source, sourceHandle, target, targetHandle, data } of wires) {
    const from = pointOf(byId.get(source), sourceHandle);
    const to = pointOf(byId.get(target), targetHandle);
    if (from && to) {
      const [path] = getBezierPath({
        sourceX: from.x,
        sourceY: from.y,
        sourcePosition: Position.Right,
        targetX: to.x,
        targetY: to.y,
        targetPosition: Position.Left,
        curvature: 0.3,
      });
      const type = data?.type ?? "*";
      paths.set(type, `${paths.get(type) ?? ""}${path}`);
    }
  }
  return paths;
}

function pointOf(
  node: CanvasNode | undefined,
  handle: string | null | undefined,
): { x: number; y: number } | undefined {
  const place = node?.data.geometry.sockets.find(({ id }) => id === handle);
  if (!node || !place) {
    return undefined;
  }
  const x = node.position.x + (place.side === "output" ? node.data.geometry.width : 0);
  return { x, y: node.position.y + place.y };
}
