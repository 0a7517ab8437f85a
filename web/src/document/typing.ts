/** Which sockets fit together, and in plain words why the others do not. */

import { isReroute, pastReroutes } from "@/document/reroutes";
import { inputOf, type Schema, typeTitle } from "@/document/schema";
import { fedBy } from "@/document/subgraphs";
import { isLink, type NodeId, type Sheet, titleOf } from "@/document/types";
import { t } from "@/strings/strings";

/** One end of a wire being drawn. */
export interface SocketEnd {
  node: NodeId;
  /** `output`: the slot gives; `input`: the named input takes. */
  side: "output" | "input";
  slot: number;
  input: string;
}

const ANY = "*";

/** Whether a value of type `given` may enter an input of type `wanted`. */
export function fits(schema: Schema, given: string, wanted: string): boolean {
  return (
    given === wanted ||
    given === ANY ||
    wanted === ANY ||
    (schema.types[given]?.bases.includes(wanted) ?? false)
  );
}

const given = new WeakMap<Schema, ReadonlySet<string>>();

/** Whether any node here gives something that an input of type `wanted` takes. */
export function canBeFed(schema: Schema, wanted: string): boolean {
  const types =
    given.get(schema) ??
    new Set(Object.values(schema.nodes).flatMap((spec) => spec.outputs.map(({ type }) => type)));
  given.set(schema, types);
  return [...types].some((type) => fits(schema, type, wanted));
}

/** The wire type at a socket, that of a reroute by what it joins; undefined when the class is unknown. */
export function typeAt(schema: Schema, sheet: Sheet, end: SocketEnd): string | undefined {
  const record = sheet.nodes[end.node];
  if (isReroute(record)) {
    const from = end.side === "output" ? pastReroutes(sheet, [end.node, 0]) : undefined;
    const given = from && { node: from[0], side: "output" as const, slot: from[1], input: "" };
    return (given && typeAt(schema, sheet, given)) ?? wantedOf(schema, sheet, end.node);
  }
  const spec = schema.nodes[record?.class_type ?? ""];
  return end.side === "output" ? spec?.outputs[end.slot]?.type : inputOf(spec, end.input)?.type;
}

/** What the first socket wants that a reroute leads to. */
function wantedOf(schema: Schema, sheet: Sheet, reroute: NodeId): string {
  const waiting = [reroute];
  const passed = new Set(waiting);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const { target, input } of fedBy(sheet, id)) {
      const record = sheet.nodes[target];
      const type = inputOf(schema.nodes[record?.class_type ?? ""], input)?.type;
      if (!isReroute(record) && type !== undefined) {
        return type;
      }
      if (isReroute(record) && !passed.has(target)) {
        passed.add(target);
        waiting.push(target);
      }
    }
  }
  return ANY;
}

/** Why these two sockets cannot be joined, or undefined when they can. */
export function whyNot(
  schema: Schema,
  sheet: Sheet,
  one: SocketEnd,
  other: SocketEnd,
): string | undefined {
  if (one.side === other.side) {
    return one.side === "output" ? t.refusals.bothGive : t.refusals.bothTake;
  }
  const [from, to] = one.side === "output" ? [one, other] : [other, one];
  if (from.node === to.node) {
    return t.refusals.self;
  }
  const given = typeAt(schema, sheet, from);
  const wanted = typeAt(schema, sheet, to);
  if (given === undefined || wanted === undefined) {
    return t.refusals.unknownClass;
  }
  if (!fits(schema, given, wanted)) {
    return t.refusals.wants(typeTitle(schema, wanted), typeTitle(schema, given));
  }
  if (dependsOn(sheet, from.node, to.node)) {
    return t.refusals.loop(nameOf(schema, sheet, from.node), nameOf(schema, sheet, to.node));
  }
  return undefined;
}

/** Whether `node` needs, directly or through others, the result of `source`. */
export function dependsOn(sheet: Sheet, node: NodeId, source: NodeId): boolean {
  return upstream(sheet, [node]).has(source);
}

/** The given nodes and all that they need. */
export function upstream(sheet: Sheet, ids: readonly NodeId[]): Set<NodeId> {
  const seen = new Set<NodeId>();
  const waiting = [...ids];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.has(id)) {
      seen.add(id);
      const inputs = sheet.nodes[id]?.inputs ?? {};
      waiting.push(
        ...Object.values(inputs)
          .filter(isLink)
          .map(([source]) => source),
      );
    }
  }
  return seen;
}

function nameOf(schema: Schema, sheet: Sheet, id: NodeId): string {
  const record = sheet.nodes[id];
  return record ? titleOf(record, schema.nodes[record.class_type]?.title) : id;
}
