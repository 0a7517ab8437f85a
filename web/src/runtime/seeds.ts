/** Seeds are drawn when a run is asked for and written into the document, so what is seen is what was used. */

import type { Command } from "@/document/commands";
import { readInteger } from "@/document/numbers";
import type { Schema } from "@/document/schema";
import { isLink, type NodeId, type NodeRecord, type Value, type Workflow } from "@/document/types";
import { randomSeed } from "@/runtime/ids";
import { t } from "@/strings/strings";

/** A command that draws every seed that is to be random, or the next; undefined if there is none. */
export function drawSeeds(
  workflow: Workflow,
  schema: Schema,
  draw: (max: number) => number = randomSeed,
): Command | undefined {
  const drawn: [place: string, id: NodeId, input: string, seed: number | string][] = [];
  for (const { place, id, record } of everyNode(workflow)) {
    const { seed_control: control } = record._meta;
    if (control !== "randomize" && control !== "increment") {
      continue;
    }
    for (const input of schema.nodes[record.class_type]?.inputs ?? []) {
      const value = record.inputs[input.name];
      if (input.seed && !isLink(value)) {
        const max = input.max ?? Number.MAX_SAFE_INTEGER;
        const from = value ?? input.default ?? undefined;
        drawn.push([place, id, input.name, control === "increment" ? next(from, max) : draw(max)]);
      }
    }
  }
  return drawn.length === 0
    ? undefined
    : {
        label: t.steps.drawSeed,
        recipe: (_, whole) => {
          for (const [place, id, input, seed] of drawn) {
            const record = (whole.subgraphs[place] ?? whole).nodes[id];
            if (record) {
              record.inputs[input] = seed;
            }
          }
          return undefined;
        },
      };
}

/** The nodes of every sheet, with the definition it is the inside of. */
function everyNode(workflow: Workflow): { place: string; id: NodeId; record: NodeRecord }[] {
  return [["", workflow] as const, ...Object.entries(workflow.subgraphs)].flatMap(
    ([place, { nodes }]) => Object.entries(nodes).map(([id, record]) => ({ place, id, record })),
  );
}

/** The number after this one; after the largest comes 0. */
function next(value: Value | undefined, max: number): number | string {
  const after = BigInt(readInteger(String(value)) ?? 0) + 1n;
  // The largest seed, 2^64 - 1, is no double: as a number it came as 2^64.
  const largest = Number.isSafeInteger(max) ? BigInt(max) : BigInt(max) - 1n;
  return after > largest ? 0 : (readInteger(String(after)) ?? 0);
}

/** The seed in a workflow, as text, where there is exactly one to speak of. */
export function seedOf(workflow: Workflow, schema: Schema): string | null {
  const seeds = everyNode(workflow).flatMap(({ record }) =>
    (schema.nodes[record.class_type]?.inputs ?? [])
      .filter((input) => input.seed)
      .map((input) => record.inputs[input.name])
      .filter((value) => typeof value === "number" || typeof value === "string"),
  );
  return seeds.length === 1 ? String(seeds[0]) : null;
}
