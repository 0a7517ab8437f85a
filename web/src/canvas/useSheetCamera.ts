/** Looking at another sheet: from where it was looked at last, or else at all of it. */

import { useReactFlow, type Viewport } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { useDocument } from "@/app/workbench";
import { FIT } from "@/canvas/useCamera";

export function useSheetCamera(): void {
  const flow = useReactFlow();
  const place = useDocument(({ workflow, path }) => [workflow.id, ...path].join(":"));
  const seen = useRef(new Map<string, Viewport>());
  useEffect(() => {
    const before = seen.current.get(place);
    const frame = requestAnimationFrame(() =>
      before ? void flow.setViewport(before) : void flow.fitView(FIT),
    );
    return () => {
      cancelAnimationFrame(frame);
      seen.current.set(place, flow.getViewport());
    };
  }, [flow, place]);
}
