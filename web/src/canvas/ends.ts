/** Names of sockets, wires and frames as the canvas library knows them. */

import type { Connection } from "@xyflow/react";
import type { Wire } from "@/document/commands";
import type { NodeId } from "@/document/types";
import type { SocketEnd } from "@/document/typing";

/** The socket behind `in:NAME` or `out:SLOT`. */
export function endOf(node: NodeId, handle: string): SocketEnd {
  if (handle.startsWith("out:")) {
    return { node, side: "output", slot: Number(handle.slice(4)), input: "" };
  }
  return { node, side: "input", slot: 0, input: handle.slice(3) };
}

/** The wire that a finished gesture of the library means. */
export function wireOf({ source, sourceHandle, target, targetHandle }: Connection): Wire {
  const slot = endOf(source, sourceHandle ?? "").slot;
  return { source, slot, target, input: endOf(target, targetHandle ?? "").input };
}

/** The two parts of a wire's id, `TARGET:INPUT`; node ids may hold colons themselves. */
export function cutId(id: string): { target: NodeId; input: string } {
  const at = id.lastIndexOf(":");
  return { target: id.slice(0, at), input: id.slice(at + 1) };
}

const FRAME = "frame:";

/** What a frame is called on the canvas, among the nodes. */
export function frameNode(id: string): string {
  return FRAME + id;
}

/** The frame behind a name on the canvas; undefined if it is a node's. */
export function frameOf(name: string): string | undefined {
  return name.startsWith(FRAME) ? name.slice(FRAME.length) : undefined;
}
