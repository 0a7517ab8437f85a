/** Choosing and moving nodes and frames: the library moves pictures of them, and one command moves them. */

import { type EdgeChange, type NodeChange, useStoreApi } from "@xyflow/react";
import { useMemo, useRef } from "react";
import { boxesNow } from "@/actions/action";
import { useWorkbench } from "@/app/workbench";
import { dragged, type Places, settled, unsnapped } from "@/canvas/dragging";
import { frameNode, frameOf } from "@/canvas/ends";
import type { SheetNode, Wire } from "@/canvas/project";
import { move } from "@/document/commands";
import type { Position } from "@/document/types";

const SNAP_PX = 6;

export interface NodeGestures {
  onNodesChange: (changes: NodeChange<SheetNode>[]) => void;
  onEdgesChange: (changes: EdgeChange<Wire>[]) => void;
  onNodeMouseEnter: (event: unknown, node: SheetNode) => void;
  onNodeMouseLeave: () => void;
  onNodeDrag: (event: MouseEvent | TouchEvent) => void;
}

/** The handlers; during a drag only the view changes, and one command commits it at the end. */
export function useNodeGestures(): NodeGestures {
  const workbench = useWorkbench();
  const flow = useStoreApi();
  const free = useRef(false);
  return useMemo(() => {
    const { document, view } = workbench;
    const drag = (moving: Places) => {
      const sheet = document.sheet();
      const boxes = boxesNow(workbench);
      if (free.current) {
        view.setState({ drag: unsnapped(sheet, boxes, moving), guides: [] });
        return;
      }
      const { width, height, transform } = flow.getState();
      const [x, y, zoom] = transform;
      const seen = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
      view.setState(dragged(sheet, boxes, moving, seen, SNAP_PX / zoom));
    };
    const drop = (moved: Places) => {
      const sheet = document.sheet();
      const boxes = boxesNow(workbench);
      const { nodes, frames } = settled(view.getState().drag ?? unsnapped(sheet, boxes, moved));
      document.apply(move(nodes, frames));
      view.setState({ drag: null, guides: [] });
    };
    return {
      onNodesChange: (changes) => {
        const { selection, frames } = view.getState();
        const chosen = selected(changes, [...selection, ...frames.map(frameNode)]);
        if (chosen) {
          view.setState({
            selection: chosen.filter((id) => frameOf(id) === undefined),
            frames: chosen.flatMap((id) => frameOf(id) ?? []),
          });
        }
        const moving = places(changes, true);
        if (moving) {
          drag(moving);
        }
        const moved = places(changes, false);
        if (moved) {
          drop(moved);
        }
      },
      onEdgesChange: (changes) => {
        const wires = selected(changes, view.getState().wires);
        if (wires) {
          view.setState({ wires });
        }
      },
      onNodeMouseEnter: (_, node) => view.setState({ hovered: node.id }),
      onNodeMouseLeave: () => view.setState({ hovered: null }),
      onNodeDrag: (event) => {
        free.current = event.altKey;
      },
    };
  }, [workbench, flow]);
}

/** Where the changes put nodes, while dragging or at its end; undefined if they move none. */
function places(changes: readonly NodeChange<SheetNode>[], dragging: boolean): Places | undefined {
  const found: Record<string, Position> = {};
  for (const change of changes) {
    if (change.type === "position" && change.position && (change.dragging ?? false) === dragging) {
      found[change.id] = [Math.round(change.position.x), Math.round(change.position.y)];
    }
  }
  return Object.keys(found).length > 0 ? found : undefined;
}

/** The selection after the library's changes; undefined if they do not touch it. */
function selected(
  changes: readonly { type: string; id?: string; selected?: boolean }[],
  before: readonly string[],
): readonly string[] | undefined {
  const set = new Set(before);
  let touched = false;
  for (const { type, id, selected: on } of changes) {
    if (type === "select" && id !== undefined) {
      touched = true;
      if (on) {
        set.add(id);
      } else {
        set.delete(id);
      }
    }
  }
  return touched ? [...set] : undefined;
}
