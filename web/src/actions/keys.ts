/** From a key press to the action that is bound to it. */

import { useEffect } from "react";
import type { Action } from "@/actions/action";
import { ACTIONS } from "@/actions/actions";
import { useWorkbench, type Workbench } from "@/app/workbench";

const MAC = /mac/i.test(navigator.platform);

/** A key press as it is written in the list of actions. */
export function keyName(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey"> & {
    code?: string;
  },
): string {
  // With Alt, some keyboards give another sign for a letter: the key itself is meant.
  const letter = event.altKey ? /^Key([A-Z])$/.exec(event.code ?? "")?.[1] : undefined;
  const key = letter ?? event.key;
  const plain = key === " " ? "Space" : key.length === 1 ? key.toUpperCase() : key;
  const sign = /^[^\p{L}\p{N}\s]$/u.test(key); // on most keyboards a sign needs Shift by itself
  const parts = [
    event.ctrlKey || event.metaKey ? "Mod" : "",
    event.altKey ? "Alt" : "",
    event.shiftKey && !sign ? "Shift" : "",
    plain,
  ];
  return parts.filter(Boolean).join("+");
}

/** Keys as a person reads them. */
export function keyLabel(keys: string): string {
  const names = MAC ? { Mod: "⌘", Alt: "⌥", Shift: "⇧" } : { Mod: "Ctrl" };
  return keys
    .split("+")
    .map((part) => names[part as keyof typeof names] ?? part)
    .join(MAC ? "" : "+");
}

/** Listen for the keys of every action. */
export function useShortcuts(): void {
  const workbench = useWorkbench();
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const action = bound(event, workbench);
      if (action) {
        event.preventDefault();
        event.stopPropagation();
        action.run(workbench);
      }
    };
    // Captured, so that Ctrl+Enter and Ctrl+Z mean the same inside a text field.
    window.addEventListener("keydown", onKeyDown, { capture: true });
    return () => window.removeEventListener("keydown", onKeyDown, { capture: true });
  }, [workbench]);
}

function bound(event: KeyboardEvent, workbench: Workbench): Action | undefined {
  if (document.querySelector("dialog[open], [role=menu]")) {
    return undefined;
  }
  const name = keyName(event);
  const { typing, button } = place(event.target);
  const { page } = workbench.view.getState();
  return ACTIONS.find(
    (action) =>
      action.keys.includes(name) &&
      (page === "canvas" || action.inForm) &&
      (action.inText || !typing) &&
      !(button && name === "Space") &&
      (action.when?.(workbench) ?? true),
  );
}

function place(target: EventTarget | null): { typing: boolean; button: boolean } {
  if (!(target instanceof HTMLElement)) {
    return { typing: false, button: false };
  }
  return {
    typing: target.matches("input, textarea, select, [contenteditable]"),
    button: target.matches("button, [role=option]"),
  };
}
