/** A new node of a class, with its defaults. */

import { defaultOf, type NodeSpec } from "@/document/schema";
import { classOf } from "@/document/subgraphs";
import type { NodeRecord, Position, Value } from "@/document/types";

/** The record of a node that was just added; a seed is drawn for each run until somebody keeps one. */
export function freshNode(spec: NodeSpec, [x, y]: Position): NodeRecord {
  const inputs: Record<string, Value> = {};
  const own = !spec.name.startsWith(classOf("")); // a subgraph's instance is as its definition
  for (const input of own ? spec.inputs : []) {
    const value = defaultOf(input);
    if (value !== undefined) {
      inputs[input.name] = value;
    }
  }
  return {
    class_type: spec.name,
    ...(own ? { version: spec.version } : {}),
    inputs,
    _meta: {
      ...(own ? { title: spec.title } : {}),
      position: [Math.round(x), Math.round(y)],
      mode: "always",
      collapsed: false,
      ...(spec.inputs.some((input) => input.seed) ? { seed_control: "randomize" } : {}),
    },
  };
}
