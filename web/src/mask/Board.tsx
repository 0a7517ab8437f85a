/** The picture with the mask over it, painted on with the pointer or from the keyboard. */

import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { feathered, type Mask, type Point } from "@/mask/mask";
import styles from "@/mask/mask.module.css";
import { draw } from "@/mask/pixels";
import { type File, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";

interface BoardProps {
  picture: File;
  mask: Mask | null;
  /** How far its edge is softened, in pixels of the picture. */
  feather: number;
  /** The brush, in pixels of the picture. */
  size: number;
  onPaint: (from: Point, to: Point, begins: boolean) => void;
}

const STEPS: Readonly<Record<string, Point>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function Board({ picture, mask, feather, size, onPaint }: BoardProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Point | null>(null);
  const [spot, setSpot] = useState<Point | null>(null);
  useEffect(() => {
    if (mask && canvas.current) {
      draw(canvas.current, feathered(mask, feather));
    }
  }, [mask, feather]);

  const at = (event: PointerEvent<HTMLCanvasElement>): Point => {
    const box = event.currentTarget.getBoundingClientRect();
    const scale = (mask?.width ?? 1) / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const onDown = (event: PointerEvent<HTMLCanvasElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    last.current = at(event);
    onPaint(last.current, last.current, true);
  };
  const onMove = (event: PointerEvent<HTMLCanvasElement>) => {
    const to = at(event);
    setSpot(to);
    if (last.current) {
      onPaint(last.current, to, false);
      last.current = to;
    }
  };
  /** Arrows walk, Space paints a dot, Shift and an arrow paint a line. */
  const onKeyDown = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    const from = spot ?? [(mask?.width ?? 0) / 2, (mask?.height ?? 0) / 2];
    if (by) {
      const to: Point = [from[0] + (by[0] * size) / 2, from[1] + (by[1] * size) / 2];
      setSpot(to);
      if (event.shiftKey) {
        onPaint(from, to, true);
      }
    } else if (event.key === " ") {
      onPaint(from, from, true);
    } else {
      return;
    }
    event.preventDefault();
  };
  return (
    <div className={styles.stage}>
      <div
        className={styles.sheet}
        style={mask ? { aspectRatio: `${mask.width} / ${mask.height}` } : undefined}
      >
        <img src={pictureUrl(picture)} alt={picture.filename} draggable={false} />
        <canvas
          ref={canvas}
          data-first
          data-testid="mask"
          aria-label={t.mask.board}
          tabIndex={0}
          width={mask?.width ?? 1}
          height={mask?.height ?? 1}
          onPointerDown={onDown}
          onPointerMove={onMove}
          onPointerUp={() => {
            last.current = null;
          }}
          onPointerLeave={() => setSpot(null)}
          onKeyDown={onKeyDown}
        />
        {mask && spot && (
          <span
            className={styles.brush}
            style={{
              left: `${(100 * spot[0]) / mask.width}%`,
              top: `${(100 * spot[1]) / mask.height}%`,
              width: `${(100 * size) / mask.width}%`,
            }}
          />
        )}
      </div>
    </div>
  );
}
