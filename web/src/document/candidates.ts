/** All the wires a node could have, in words. */

import type { Wire } from "@/document/commands";
import type { NodeSpec, Schema } from "@/document/schema";
import { isLink, type NodeId, titleOf, type Workflow } from "@/document/types";
import { whyNot } from "@/document/typing";

export interface Candidate {
  wire: Wire;
  /** `Develop, Latent → Decode, Samples` */
  text: string;
}

/** Every new wire from or to `node`, wires to sockets before wires to fields. */
export function candidates(schema: Schema, workflow: Workflow, node: NodeId): Candidate[] {
  const found: Candidate[] = [];
  for (const other of Object.keys(workflow.nodes)) {
    found.push(
      ...between(schema, workflow, node, other),
      ...between(schema, workflow, other, node),
    );
  }
  const rank = ({ wire }: Candidate) => (isSocket(schema, workflow, wire) ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b));
}

function between(schema: Schema, workflow: Workflow, source: NodeId, target: NodeId): Candidate[] {
  const [from, to] = [specOf(schema, workflow, source), specOf(schema, workflow, target)];
  const found: Candidate[] = [];
  for (const [slot, output] of (from?.outputs ?? []).entries()) {
    for (const input of to?.inputs ?? []) {
      const value = workflow.nodes[target]?.inputs[input.name];
      const there = isLink(value) && value[0] === source && value[1] === slot;
      const start = { node: source, side: "output", slot, input: "" } as const;
      const end = { node: target, side: "input", slot: 0, input: input.name } as const;
      if (!there && whyNot(schema, workflow, start, end) === undefined) {
        const text = `${nameOf(schema, workflow, source)}, ${output.title} → ${nameOf(schema, workflow, target)}, ${input.title}`;
        found.push({ wire: { source, slot, target, input: input.name }, text });
      }
    }
  }
  return found;
}

function specOf(schema: Schema, workflow: Workflow, id: NodeId): NodeSpec | undefined {
  return schema.nodes[workflow.nodes[id]?.class_type ?? ""];
}

function nameOf(schema: Schema, workflow: Workflow, id: NodeId): string {
  const record = workflow.nodes[id];
  return record ? titleOf(record, specOf(schema, workflow, id)?.title) : id;
}

function isSocket(schema: Schema, workflow: Workflow, { target, input }: Wire): boolean {
  return (
    specOf(schema, workflow, target)?.inputs.some((i) => i.name === input && i.socket) ?? false
  );
}
