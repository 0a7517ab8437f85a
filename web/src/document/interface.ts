/** Changing what a subgraph takes and gives; every instance follows. */

import { type Command, cut, type Fallback } from "@/document/commands";
import { definitionOf, edgeOf, fedBy, instancesOf, isEntrance, isExit } from "@/document/subgraphs";
import { isLink, type NodeId, type Sheet, type Subgraph, type Workflow } from "@/document/types";
import { t } from "@/strings/strings";

export type EndSide = "inputs" | "outputs";

/** Name a definition. */
export function renameSubgraph(definition: string, name: string): Command {
  return change(definition, t.steps.renameSubgraph, (inner) => {
    inner.name = name;
  });
}

/** Call an input or output differently; its name, by which values are kept, stays. */
export function renameEnd(definition: string, side: EndSide, name: string, title: string): Command {
  return {
    ...change(definition, t.steps.renameEnd, (inner) => {
      const end = inner[side].find((candidate) => candidate.name === name);
      if (end) {
        end.title = title;
      }
    }),
    key: `end:${definition}:${side}:${name}`,
  };
}

/** Take an input or output away, with its wires inside and at every instance. */
export function removeEnd(
  definition: string,
  side: EndSide,
  name: string,
  fallback: Fallback,
): Command {
  return change(definition, t.steps.removeEnd, (inner, whole) => {
    const gone = inner[side].findIndex((end) => end.name === name);
    if (gone < 0) {
      return;
    }
    inner[side].splice(gone, 1);
    const next = (slot: number) => (slot === gone ? undefined : slot - Number(slot > gone));
    renumber(whole, definition, side, next, fallback);
    if (side === "outputs") {
      delete edgeOf(inner, isExit)?.[1].inputs[name];
    } else {
      for (const { record } of instancesOf(whole, definition)) {
        delete record.inputs[name];
        delete record._meta.values?.[name];
      }
      forgetParameters(whole, definition, name);
    }
  });
}

/** Move an input or output up or down by one place. */
export function moveEnd(definition: string, side: EndSide, name: string, by: -1 | 1): Command {
  return change(definition, t.steps.moveEnd, (inner, whole) => {
    const from = inner[side].findIndex((end) => end.name === name);
    const to = from + by;
    const [end] = inner[side].splice(from, from >= 0 && to >= 0 && to < inner[side].length ? 1 : 0);
    if (end) {
      inner[side].splice(to, 0, end);
      const next = (slot: number) => (slot === from ? to : slot === to ? from : slot);
      renumber(whole, definition, side, next, () => undefined);
    }
  });
}

function change(
  definition: string,
  label: string,
  recipe: (inner: Subgraph, whole: Workflow) => void,
): Command {
  return {
    label,
    recipe: (_, whole) => {
      const inner = whole.subgraphs[definition];
      if (inner) {
        recipe(inner, whole);
      }
      return undefined;
    },
  };
}

/** Lead the wires from the entrance, or from every instance, on from other slots, or cut them. */
function renumber(
  whole: Workflow,
  definition: string,
  side: EndSide,
  next: (slot: number) => number | undefined,
  fallback: Fallback,
): void {
  const inner = whole.subgraphs[definition];
  const [entrance] = (inner && edgeOf(inner, isEntrance)) ?? [];
  if (side === "outputs") {
    renameResults(whole, definition, next);
  }
  const sources: { sheet: Sheet; id: NodeId }[] =
    side === "outputs"
      ? [...instancesOf(whole, definition)]
      : inner && entrance !== undefined
        ? [{ sheet: inner, id: entrance }]
        : [];
  for (const { sheet, id } of sources) {
    for (const { target, input, slot } of [...fedBy(sheet, id)]) {
      const node = sheet.nodes[target];
      const to = next(slot);
      if (node && to === undefined) {
        cut(node, input, fallback);
      } else if (node && to !== undefined && isLink(node.inputs[input])) {
        node.inputs[input] = [id, to];
      }
    }
  }
}

/** Public names follow what they name. */
function renameResults(
  whole: Workflow,
  definition: string,
  next: (slot: number) => number | undefined,
): void {
  for (const [name, place] of Object.entries(whole.results)) {
    if (definitionOf(whole.nodes[place.node]) === definition) {
      const output = next(place.output);
      if (output === undefined) {
        delete whole.results[name];
      } else {
        place.output = output;
      }
    }
  }
}

function forgetParameters(whole: Workflow, definition: string, input: string): void {
  for (const [name, place] of Object.entries(whole.parameters)) {
    if (place.input === input && definitionOf(whole.nodes[place.node]) === definition) {
      delete whole.parameters[name];
    }
  }
}
