/** Lets the rest of the page look around: go to nodes, find the middle, turn page pixels into places. */

import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useEffect } from "react";
import { useWorkbench } from "@/app/workbench";

const QUICK_MS = 160;
const MARGIN_PX = 16;

/** Showing everything leaves room for the bars, and never enlarges. */
export const FIT = {
  padding: { top: "72px", bottom: "56px", x: "24px" },
  maxZoom: 1,
} as const;

export function useCamera(): void {
  const { camera } = useWorkbench();
  const flow = useReactFlow();
  const store = useStoreApi();
  useEffect(() => {
    const duration = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : QUICK_MS;
    camera.current = {
      reveal: (ids) => {
        const nodes = flow.getNodes().filter((node) => ids.includes(node.id));
        const { width, height, transform } = store.getState();
        const [x, y, zoom] = transform;
        const view = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
        const seen = nodes.some((node) => flow.isNodeIntersecting(node, view, true));
        if (nodes.length > 0 && !seen) {
          void flow.fitView({ nodes, duration, maxZoom: Math.max(0.8, zoom), padding: 0.4 });
        }
      },
      bring: (id) => {
        const node = flow.getNode(id);
        const { width, height, transform } = store.getState();
        const [x, y, zoom] = transform;
        if (node) {
          const dx = shift(x + node.position.x * zoom, (node.width ?? 0) * zoom, width);
          const dy = shift(y + node.position.y * zoom, (node.height ?? 0) * zoom, height);
          if (dx !== 0 || dy !== 0) {
            void flow.setViewport({ x: x + dx, y: y + dy, zoom }, { duration });
          }
        }
      },
      fit: () => void flow.fitView({ ...FIT, duration }),
      toCanvas: ([x, y]) => {
        const place = flow.screenToFlowPosition({ x, y });
        return [place.x, place.y];
      },
      centre: () => {
        const box = store.getState().domNode?.getBoundingClientRect();
        const x = (box?.left ?? 0) + (box?.width ?? 0) / 2;
        const y = (box?.top ?? 0) + (box?.height ?? 0) / 2;
        const place = flow.screenToFlowPosition({ x, y });
        return { page: [x, y], canvas: [place.x, place.y] };
      },
    };
    return () => {
      camera.current = null;
    };
  }, [camera, flow, store]);
}

/** How far a stretch must move to lie inside `room`, a margin from its ends; its start counts more. */
function shift(start: number, length: number, room: number): number {
  const past = Math.min(0, room - MARGIN_PX - (start + length));
  return start + past < MARGIN_PX ? MARGIN_PX - start : past;
}
