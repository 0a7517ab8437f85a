/** All the wires a node could have, in words. */

import type { Wire } from "@/document/commands";
import type { NodeSpec, Schema } from "@/document/schema";
import { isLink, type NodeId, type Sheet, titleOf } from "@/document/types";
import { whyNot } from "@/document/typing";

export interface Candidate {
  wire: Wire;
  /** `Develop, Latent → Decode, Samples` */
  text: string;
}

/** Every new wire from or to `node`, wires to sockets before wires to fields. */
export function candidates(schema: Schema, sheet: Sheet, node: NodeId): Candidate[] {
  const found: Candidate[] = [];
  for (const other of Object.keys(sheet.nodes)) {
    found.push(...between(schema, sheet, node, other), ...between(schema, sheet, other, node));
  }
  const rank = ({ wire }: Candidate) => (isSocket(schema, sheet, wire) ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b));
}

function between(schema: Schema, sheet: Sheet, source: NodeId, target: NodeId): Candidate[] {
  const [from, to] = [specOf(schema, sheet, source), specOf(schema, sheet, target)];
  const found: Candidate[] = [];
  for (const [slot, output] of (from?.outputs ?? []).entries()) {
    for (const input of to?.inputs ?? []) {
      const value = sheet.nodes[target]?.inputs[input.name];
      const there = isLink(value) && value[0] === source && value[1] === slot;
      const start = { node: source, side: "output", slot, input: "" } as const;
      const end = { node: target, side: "input", slot: 0, input: input.name } as const;
      if (!there && whyNot(schema, sheet, start, end) === undefined) {
        const text = `${nameOf(schema, sheet, source)}, ${output.title} → ${nameOf(schema, sheet, target)}, ${input.title}`;
        found.push({ wire: { source, slot, target, input: input.name }, text });
      }
    }
  }
  return found;
}

function specOf(schema: Schema, sheet: Sheet, id: NodeId): NodeSpec | undefined {
  return schema.nodes[sheet.nodes[id]?.class_type ?? ""];
}

function nameOf(schema: Schema, sheet: Sheet, id: NodeId): string {
  const record = sheet.nodes[id];
  return record ? titleOf(record, specOf(schema, sheet, id)?.title) : id;
}

function isSocket(schema: Schema, sheet: Sheet, { target, input }: Wire): boolean {
  return specOf(schema, sheet, target)?.inputs.some((i) => i.name === input && i.socket) ?? false;
}
