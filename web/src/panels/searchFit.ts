/** Which classes fit a dropped wire, and adding the chosen one with its wire in one step. */

import { freshNode } from "@/app/freshNode";
import type { SearchRequest } from "@/app/view";
import type { Workbench } from "@/app/workbench";
import { geometryOf } from "@/canvas/geometry";
import { addNode, freshId, together } from "@/document/commands";
import type { NodeSpec, Schema } from "@/document/schema";
import type { NodeId, Position } from "@/document/types";
import { fits, type SocketEnd, typeAt } from "@/document/typing";
import { join } from "@/document/wiring";
import { t } from "@/strings/strings";

/** The first socket of a class that the dropped wire could end in. */
export function socketFor(
  schema: Schema,
  spec: NodeSpec,
  from: SocketEnd,
  type: string,
): { input: string; slot: number } | undefined {
  if (from.side === "output") {
    const taking = [...spec.inputs].sort((a, b) => Number(b.socket) - Number(a.socket));
    const input = taking.find((candidate) => fits(schema, type, candidate.type));
    return input && { input: input.name, slot: from.slot };
  }
  const slot = spec.outputs.findIndex((output) => fits(schema, output.type, type));
  return slot < 0 ? undefined : { input: from.input, slot };
}

/** Add a node of the class where the search was asked for, connected to the dropped wire if there is one. */
export function addFound(
  workbench: Workbench,
  schema: Schema,
  spec: NodeSpec,
  request: SearchRequest,
): NodeId {
  const { document } = workbench;
  const { from, place } = request;
  const sheet = document.sheet();
  const id = freshId(sheet);
  const type = from && typeAt(schema, sheet, from);
  const socket = from && type ? socketFor(schema, spec, from, type) : undefined;
  const record = freshNode(spec, place);
  const label = t.steps.addNamed(spec.title);
  if (!from || !socket) {
    document.apply(addNode(id, record, label), [id]);
    return id;
  }
  const end = from.side === "output" ? `in:${socket.input}` : `out:${socket.slot}`;
  const geometry = geometryOf(spec, record, { preview: false });
  const y = geometry.sockets.find((candidate) => candidate.id === end)?.y ?? 0;
  const x = from.side === "output" ? 0 : geometry.width;
  const at: Position = [Math.round(place[0] - x), Math.round(place[1] - y)];
  const wire =
    from.side === "output"
      ? { source: from.node, slot: from.slot, target: id, input: socket.input }
      : { source: id, slot: socket.slot, target: from.node, input: from.input };
  const moved = { ...record, _meta: { ...record._meta, position: at } };
  const grown = { ...sheet, nodes: { ...sheet.nodes, [id]: moved } };
  document.apply(together(label, [addNode(id, moved), join(schema, grown, wire)]), [id]);
  return id;
}
