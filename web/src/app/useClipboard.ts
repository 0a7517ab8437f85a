/** Copy, cut and paste of nodes through the system clipboard, as text. */

import { useEffect } from "react";
import { chosenFrames, chosenNodes } from "@/actions/action";
import { useWorkbench, type Workbench } from "@/app/workbench";
import { type Piece, pasting, pieceIn, pieceOf, textOf } from "@/document/clipboard";
import { remove, together } from "@/document/commands";
import { removeFrames } from "@/document/frames";
import { parseJson } from "@/document/numbers";
import { Unreadable } from "@/document/read";
import type { Json, Position } from "@/document/types";
import { t } from "@/strings/strings";

/** Listen to the page's clipboard events, except where text is being edited. */
export function useClipboard(): void {
  const workbench = useWorkbench();
  useEffect(() => {
    const onCopy = (event: ClipboardEvent) => copy(workbench, event);
    const onCut = (event: ClipboardEvent) => {
      if (copy(workbench, event)) {
        const gone = remove(chosenNodes(workbench), workbench.fallback);
        const unframed = removeFrames(chosenFrames(workbench).map(({ id }) => id));
        workbench.document.apply(together(t.steps.cut, [gone, unframed]), []);
      }
    };
    const onPaste = (event: ClipboardEvent) => paste(workbench, event);
    document.addEventListener("copy", onCopy);
    document.addEventListener("cut", onCut);
    document.addEventListener("paste", onPaste);
    return () => {
      document.removeEventListener("copy", onCopy);
      document.removeEventListener("cut", onCut);
      document.removeEventListener("paste", onPaste);
    };
  }, [workbench]);
}

function editing(): boolean {
  return (
    document.activeElement?.matches("input, textarea, select, [contenteditable=true]") ?? false
  );
}

/** What is copied of a frame is all that lies in it. */
function copy(workbench: Workbench, event: ClipboardEvent): boolean {
  const nodes = chosenNodes(workbench);
  const frames = chosenFrames(workbench).map(({ id }) => id);
  if (editing() || nodes.length + frames.length === 0 || String(getSelection()) !== "") {
    return false;
  }
  const { document: store } = workbench;
  const piece = pieceOf(store.workflow(), nodes, frames, store.sheet());
  event.clipboardData?.setData("text/plain", textOf(piece));
  event.preventDefault();
  return true;
}

function paste(workbench: Workbench, event: ClipboardEvent): void {
  const { document, camera, view, runs } = workbench;
  const centre = camera.current?.centre().canvas;
  if (editing() || !centre) {
    return;
  }
  try {
    const piece = read(event.clipboardData?.getData("text/plain") ?? "");
    if (piece) {
      const workflow = document.workflow();
      const { command, nodes, frames } = pasting(
        workflow,
        piece,
        offsetTo(centre, piece),
        t.steps.paste,
        document.state.getState().path,
      );
      document.apply(command, nodes);
      view.setState({ frames });
      event.preventDefault();
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    runs.state.setState({ notice: t.files.notPasted(why) });
  }
}

function read(text: string): Piece | undefined {
  let json: Json;
  try {
    json = parseJson(text);
  } catch {
    return undefined; // some other text was copied
  }
  const piece = pieceIn(json);
  if (piece && Object.keys(piece.nodes).length + piece.frames.length === 0) {
    throw new Unreadable(t.files.nothing);
  }
  return piece;
}

function offsetTo([x, y]: Position, { nodes, frames }: Piece): Position {
  const places = [
    ...Object.values(nodes).map((node) => node._meta.position),
    ...frames.map(({ position }) => position),
  ];
  const left = Math.min(...places.map((place) => place[0]));
  const top = Math.min(...places.map((place) => place[1]));
  return [Math.round(x - left), Math.round(y - top)];
}
