/** A mask under the brush, and the way back stroke by stroke. */

import { useEffect, useState } from "react";
import { type Mask, type Point, stroke } from "@/mask/mask";
import { readMask } from "@/mask/pixels";

const MOST_STEPS_BACK = 30;

export interface Brush {
  /** Pixels of the picture. */
  size: number;
  erase: boolean;
}

export interface Strokes {
  /** Null until the picture is read. */
  mask: Mask | null;
  canGoBack: boolean;
  /** Put another mask in its place, as one step. */
  change: (next: Mask) => void;
  /** Take the last step back. */
  back: () => void;
  /** Paint from one point to another; what `begins` is a step of its own. */
  paint: (brush: Brush, from: Point, to: Point, begins: boolean) => void;
}

/** The strokes over the picture at `url`; `onFailure` is called if it cannot be read. */
export function useStrokes(url: string, onFailure: () => void): Strokes {
  const [mask, setMask] = useState<Mask | null>(null);
  const [past, setPast] = useState<readonly Mask[]>([]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only another picture is read anew
  useEffect(() => {
    let wanted = true;
    readMask(url).then(
      (found) => wanted && setMask(found),
      () => wanted && onFailure(),
    );
    return () => {
      wanted = false;
    };
  }, [url]);

  const change = (next: Mask) => {
    if (mask) {
      setPast([...past, mask].slice(-MOST_STEPS_BACK));
    }
    setMask(next);
  };
  const back = () => {
    const before = past.at(-1);
    if (before) {
      setMask(before);
      setPast(past.slice(0, -1));
    }
  };
  const paint: Strokes["paint"] = ({ size, erase }, from, to, begins) => {
    if (mask) {
      const next = { ...mask, values: mask.values.slice() };
      stroke(next, from, to, size / 2, erase);
      if (begins) {
        change(next);
      } else {
        setMask(next);
      }
    }
  };
  return { mask, canGoBack: past.length > 0, change, back, paint };
}
