/** The whole sheet in a corner, as soon as the view does not hold it: press to go there. */

import { type ReactFlowState, useReactFlow, useStore } from "@xyflow/react";
import { memo, type PointerEvent, useCallback, useMemo, useRef } from "react";
import { useShallow } from "zustand/react/shallow";
import styles from "@/canvas/canvas.module.css";
import type { SheetNode } from "@/canvas/project";
import { around, type Box } from "@/document/boxes";
import { t } from "@/strings/strings";

const SIZE_PX = { width: 176, height: 112 };
/** So much of the sheet, in canvas units, is shown around what lies on it. */
const AIR = 120;
/** The map stays away while less than this lies outside the view. */
const OVERHANG = 24;

interface MinimapProps {
  nodes: readonly SheetNode[];
  /** Something is being dragged: the map waits for where it comes to lie. */
  dragging: boolean;
}

export const Minimap = memo(
  WhenNeeded,
  (before, after) => after.dragging || before.nodes === after.nodes,
);

function WhenNeeded({ nodes }: MinimapProps) {
  const whole = useMemo(() => around(nodes.map(boxOf)), [nodes]);
  const exceeds = useStore(
    useCallback(
      (state: ReactFlowState) => whole !== undefined && !fits(whole, seen(state)),
      [whole],
    ),
  );
  return whole && exceeds ? <SheetMap nodes={nodes} whole={whole} /> : null;
}

function SheetMap({ nodes, whole }: { nodes: readonly SheetNode[]; whole: Box }) {
  const flow = useReactFlow();
  const view = useStore(useShallow(seen));
  const held = useRef(false);
  const shown = useMemo(() => framed(whole), [whole]);
  const paths = useMemo(() => pathsOf(nodes), [nodes]);
  const go = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = shown.x + ((event.clientX - box.left) / box.width) * shown.width;
    const y = shown.y + ((event.clientY - box.top) / box.height) * shown.height;
    void flow.setCenter(x, y, { zoom: flow.getZoom() });
  };
  return (
    <svg
      className={styles.minimap}
      data-testid="minimap"
      role="img"
      aria-label={t.sheet.map}
      width={SIZE_PX.width}
      height={SIZE_PX.height}
      viewBox={`${shown.x} ${shown.y} ${shown.width} ${shown.height}`}
      onPointerDown={(event) => {
        held.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={(event) => held.current && go(event)}
      onPointerUp={() => {
        held.current = false;
      }}
    >
      <path className={styles.mapFrames} d={paths.frames} />
      <path className={styles.mapNodes} d={paths.nodes} />
      <path className={styles.mapChosen} d={paths.chosen} />
      <rect className={styles.mapView} {...view} rx={8} />
    </svg>
  );
}

function boxOf({ position, width = 0, height = 0 }: SheetNode): Box {
  return { x: position.x, y: position.y, width, height };
}

function seen({ transform: [x, y, zoom], width, height }: ReactFlowState): Box {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}

function fits(whole: Box, view: Box): boolean {
  return (
    whole.x >= view.x - OVERHANG &&
    whole.y >= view.y - OVERHANG &&
    whole.x + whole.width <= view.x + view.width + OVERHANG &&
    whole.y + whole.height <= view.y + view.height + OVERHANG
  );
}

/** The part of the sheet on the map: everything, in the shape of the map. */
function framed({ x, y, width, height }: Box): Box {
  const scale = Math.max((width + 2 * AIR) / SIZE_PX.width, (height + 2 * AIR) / SIZE_PX.height);
  const [w, h] = [SIZE_PX.width * scale, SIZE_PX.height * scale];
  return { x: x + width / 2 - w / 2, y: y + height / 2 - h / 2, width: w, height: h };
}

/** One path for all nodes of a kind: a map of a thousand nodes is three elements. */
function pathsOf(nodes: readonly SheetNode[]): { nodes: string; chosen: string; frames: string } {
  const paths = { nodes: "", chosen: "", frames: "" };
  for (const node of nodes) {
    const { x, y, width, height } = boxOf(node);
    const kind = node.type === "frame" ? "frames" : node.selected ? "chosen" : "nodes";
    paths[kind] += `M${x} ${y}h${width}v${height}h${-width}z`;
  }
  return paths;
}
