/** A frame: a soft tint under the nodes, and a title above it that can be read from afar. */

import { type NodeProps, type ReactFlowState, useStore, useStoreApi } from "@xyflow/react";
import { memo, type PointerEvent, useRef, useState } from "react";
import { useWorkbench } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import type { FrameNode } from "@/canvas/project";
import { Title } from "@/canvas/Title";
import { setFrame, sized } from "@/document/frames";
import { t } from "@/strings/strings";

/** How much a title grows, so that it stays the same on the screen. */
const enlargement = ({ transform }: ReactFlowState) => Math.max(1, 1 / transform[2]);

export const FrameView = memo(function FrameView({ id, data, selected }: NodeProps<FrameNode>) {
  const { document } = useWorkbench();
  const scale = useStore(enlargement);
  const { frame } = data;
  const [size, setSize] = useState<readonly [number, number] | null>(null);
  const [width, height] = size ?? frame.size;
  return (
    <div className={styles.frame} data-selected={selected || undefined} style={{ width, height }}>
      <div
        className={styles.frameTitle}
        data-frame-title
        style={{ transform: `scale(${scale})`, maxWidth: width / scale }}
      >
        <Title
          id={id}
          title={frame.title || t.inspector.frame}
          onRename={(title) => document.apply(setFrame(frame.id, t.steps.renameFrame, { title }))}
        />
      </div>
      {frame.text && <p className={styles.note}>{frame.text}</p>}
      <Corner
        size={frame.size}
        onSize={setSize}
        onDone={(done) => {
          document.apply(setFrame(frame.id, t.steps.resizeFrame, { size: done }));
          setSize(null);
        }}
      />
    </div>
  );
});

interface CornerProps {
  size: readonly [number, number];
  onSize: (size: readonly [number, number]) => void;
  onDone: (size: readonly [number, number]) => void;
}

/** The corner that is dragged to resize; from the keyboard, “Fit frame” does it. */
function Corner({ size, onSize, onDone }: CornerProps) {
  const flow = useStoreApi();
  const from = useRef<readonly [number, number] | null>(null);
  const sizeAt = (event: PointerEvent) => {
    const zoom = flow.getState().transform[2];
    const [x, y] = from.current ?? [event.clientX, event.clientY];
    return sized([size[0] + (event.clientX - x) / zoom, size[1] + (event.clientY - y) / zoom]);
  };
  return (
    <div
      className={`${styles.corner} nodrag nopan`}
      title={t.sheet.resize}
      onPointerDown={(event) => {
        from.current = [event.clientX, event.clientY];
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => from.current && onSize(sizeAt(event))}
      onPointerUp={(event) => {
        if (from.current) {
          onDone(sizeAt(event));
          from.current = null;
        }
      }}
    />
  );
}
