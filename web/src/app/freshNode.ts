/** A new node of a class, with its defaults. */

import { defaultOf, type NodeSpec } from "@/document/schema";
import type { NodeRecord, Position, Value } from "@/document/types";

/** The record of a node that was just added; a seed is drawn for each run until somebody keeps one. */
export function freshNode(spec: NodeSpec, [x, y]: Position): NodeRecord {
  const inputs: Record<string, Value> = {};
  for (const input of spec.inputs) {
    const value = defaultOf(input);
    if (value !== undefined) {
      inputs[input.name] = value;
    }
  }
  return {
    class_type: spec.name,
    version: spec.version,
    inputs,
    _meta: {
      title: spec.title,
      position: [Math.round(x), Math.round(y)],
      mode: "always",
      collapsed: false,
      ...(spec.inputs.some((input) => input.seed) ? { seed_control: "randomize" } : {}),
    },
  };
}
