/** Asking for the menu of a node, a frame, a wire or the sheet; what is clicked becomes what is chosen. */

import { type MouseEvent, useCallback } from "react";
import type { Field, MenuPlace, ViewStore } from "@/app/view";
import { useWorkbench } from "@/app/workbench";
import { frameOf } from "@/canvas/ends";

/** The handler of the canvas; fields keep the browser's own menu. */
export function useContextMenu(): (event: MouseEvent) => void {
  const { view, camera } = useWorkbench();
  return useCallback(
    (event) => {
      const { target, clientX, clientY } = event;
      if (!(target instanceof Element) || target.closest("input, textarea, select")) {
        return;
      }
      event.preventDefault();
      const on = choose(view, target);
      const place = camera.current?.toCanvas([clientX, clientY]) ?? [0, 0];
      view.setState({ menu: { on, at: [clientX, clientY], place, field: fieldAt(target) } });
    },
    [view, camera],
  );
}

/** The field of a node that a part of the page belongs to. */
function fieldAt(target: Element): Field | undefined {
  const input = target.closest<HTMLElement>("[data-input]")?.dataset.input;
  const node = target.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  return input === undefined || node === undefined ? undefined : { node, input };
}

function choose(view: ViewStore, target: Element): MenuPlace {
  const node = target.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  const wire = target.closest<SVGElement>(".react-flow__edge")?.dataset.id;
  const { selection, frames, wires } = view.getState();
  const frame = node === undefined ? undefined : frameOf(node);
  if (frame !== undefined) {
    if (!frames.includes(frame)) {
      view.setState({ selection: [], frames: [frame], wires: [] });
    }
    return "frame";
  }
  if (node !== undefined) {
    if (!selection.includes(node)) {
      view.setState({ selection: [node], frames: [], wires: [] });
    }
    return "node";
  }
  if (wire !== undefined) {
    if (!wires.includes(wire)) {
      view.setState({ selection: [], frames: [], wires: [wire] });
    }
    return "wire";
  }
  return "sheet";
}
