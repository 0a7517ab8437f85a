/** Closing what floats when the pointer goes down elsewhere. */

import { useEffect } from "react";

/** Call back for every press outside the element. */
export function useOutside(inside: { current: HTMLElement | null }, onOutside: () => void): void {
  useEffect(() => {
    const onPointerDown = (event: PointerEvent) => {
      if (event.target instanceof Node && !inside.current?.contains(event.target)) {
        onOutside();
      }
    };
    window.addEventListener("pointerdown", onPointerDown, { capture: true });
    return () => window.removeEventListener("pointerdown", onPointerDown, { capture: true });
  });
}
