/**
 * Live previews: the newest frame of each node, drawn on its canvas at most five times a second
 * (twice when the page is hidden), decoded off the main thread.
 */

import { createStore, type StoreApi } from "zustand/vanilla";
import type { NodeId } from "@/document/types";
import { wholesOf } from "@/runtime/nodeStatus";

const VISIBLE_MS = 200;
const HIDDEN_MS = 500;

export interface Previews {
  /** Nodes that have a frame to show. */
  nodes: StoreApi<ReadonlySet<NodeId>>;
  offer: (node: NodeId, frame: Blob) => void;
  attach: (node: NodeId, canvas: HTMLCanvasElement) => () => void;
  clear: () => void;
}

/** Make the preview store. */
export function createPreviews(
  decode: (frame: Blob) => Promise<ImageBitmap> = createImageBitmap,
): Previews {
  const nodes = createStore<ReadonlySet<NodeId>>(() => new Set());
  const waiting = new Map<NodeId, Blob>();
  const frames = new Map<NodeId, ImageBitmap>();
  /** The part whose frame a subgraph's instance shows. */
  const latest = new Map<NodeId, NodeId>();
  const canvases = new Map<NodeId, HTMLCanvasElement>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastDrawn = 0;

  const draw = (node: NodeId) => {
    const frame = frames.get(latest.get(node) ?? node);
    const canvas = canvases.get(node);
    if (frame && canvas) {
      canvas.width = frame.width;
      canvas.height = frame.height;
      canvas.getContext("2d")?.drawImage(frame, 0, 0);
    }
  };

  const decodeAll = async () => {
    timer = undefined;
    lastDrawn = performance.now();
    const batch = [...waiting];
    waiting.clear();
    for (const [node, blob] of batch) {
      const frame = await decode(blob).catch(() => undefined); // a torn frame is not worth a word
      if (frame) {
        frames.get(node)?.close();
        frames.set(node, frame);
        const wholes = wholesOf(node);
        const all = [node, ...wholes];
        if (all.some((id) => !nodes.getState().has(id))) {
          nodes.setState(new Set([...nodes.getState(), ...all]), true);
        }
        for (const whole of wholes) {
          latest.set(whole, node);
        }
        all.forEach(draw);
      }
    }
  };

  return {
    nodes,
    offer: (node, frame) => {
      waiting.set(node, frame);
      if (timer === undefined) {
        const interval = document.hidden ? HIDDEN_MS : VISIBLE_MS;
        const delay = Math.max(0, lastDrawn + interval - performance.now());
        timer = setTimeout(() => void decodeAll(), delay);
      }
    },
    attach: (node, canvas) => {
      canvases.set(node, canvas);
      draw(node);
      return () => {
        if (canvases.get(node) === canvas) {
          canvases.delete(node);
        }
      };
    },
    clear: () => {
      waiting.clear();
      for (const frame of frames.values()) {
        frame.close();
      }
      frames.clear();
      latest.clear();
      nodes.setState(new Set(), true);
    },
  };
}
