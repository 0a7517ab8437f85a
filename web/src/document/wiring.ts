/** Joining two sockets, where a socket for a new input or output of the open subgraph makes one. */

import { type Command, connect, together, type Wire } from "@/document/commands";
import { inputOf, type Schema } from "@/document/schema";
import { NEW_END } from "@/document/specs";
import { freshEnd, isEntrance, isExit } from "@/document/subgraphs";
import { type End, isLink, type Json, type Sheet, type Subgraph } from "@/document/types";
import { typeAt } from "@/document/typing";
import { t } from "@/strings/strings";

/** Lead a wire from one socket to another, on the sheet that lies open. */
export function join(schema: Schema, sheet: Sheet, wire: Wire): Command {
  const { source, slot, target, input } = wire;
  const [from, to] = [sheet.nodes[source], sheet.nodes[target]];
  if (isExit(to) && input === NEW_END) {
    const end = outputFrom(schema, sheet, wire);
    return together(t.steps.addOutput, [
      put("outputs", end),
      connect({ ...wire, input: end.name }),
    ]);
  }
  if (isEntrance(from) && slot === insideOf(sheet).inputs.length) {
    return together(t.steps.addInput, [
      put("inputs", inputFrom(schema, sheet, wire)),
      connect(wire),
    ]);
  }
  return connect(wire);
}

/** Show a field of a node outside, as an input of the subgraph that lies open. */
export function promote(schema: Schema, sheet: Sheet, target: string, input: string): Command {
  const [entrance = ""] = Object.entries(sheet.nodes).find(([, it]) => isEntrance(it)) ?? [];
  const slot = insideOf(sheet).inputs.length;
  return {
    ...join(schema, sheet, { source: entrance, slot, target, input }),
    label: t.steps.promote,
  };
}

function insideOf(sheet: Sheet): Subgraph {
  return sheet as Subgraph; // only a definition has an entrance or an exit
}

function inputFrom(schema: Schema, sheet: Sheet, { target, input }: Wire): End {
  const record = sheet.nodes[target];
  const found = inputOf(schema.nodes[record?.class_type ?? ""], input);
  const value = record?.inputs[input];
  return {
    name: freshEnd(insideOf(sheet).inputs, input),
    title: found?.title ?? input,
    type: typeAt(schema, sheet, { node: target, side: "input", slot: 0, input }) ?? "*",
    ...(value === undefined || isLink(value) ? {} : { default: value as Json }),
  };
}

function outputFrom(schema: Schema, sheet: Sheet, { source, slot }: Wire): End {
  const found = schema.nodes[sheet.nodes[source]?.class_type ?? ""]?.outputs[slot];
  return {
    name: freshEnd(insideOf(sheet).outputs, found?.name.toLowerCase() ?? "out"),
    title: found?.title ?? "Out",
    type: typeAt(schema, sheet, { node: source, side: "output", slot, input: "" }) ?? "*",
  };
}

function put(side: "inputs" | "outputs", end: End): Command {
  return {
    label: "",
    recipe: (sheet) => {
      insideOf(sheet)[side].push(end);
      return undefined;
    },
  };
}
