/** Thin lines through what a dragged node lies in line with. */

import { ViewportPortal } from "@xyflow/react";
import { useView } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";

export function Guides() {
  const guides = useView((state) => state.guides);
  if (guides.length === 0) {
    return null;
  }
  return (
    <ViewportPortal>
      <svg className={styles.guides} aria-hidden="true" data-testid="guides">
        {guides.map(({ axis, at, from, to }) =>
          axis === "x" ? (
            <line key={`${axis}${at}`} x1={at} x2={at} y1={from} y2={to} />
          ) : (
            <line key={`${axis}${at}`} x1={from} x2={to} y1={at} y2={at} />
          ),
        )}
      </svg>
    </ViewportPortal>
  );
}
