/**
 * From the document to what the canvas library draws.
 *
 * Memoised per record: a node or wire whose record, class and look did not change is the very same
 * object as last time, and the library skips it.
 */

import type { Edge, Node, NodeHandle } from "@xyflow/react";
import { Position as Side } from "@xyflow/react";
import type { ViewState } from "@/app/view";
import { type Geometry, geometryOf } from "@/canvas/geometry";
import { isReroute } from "@/document/reroutes";
import type { NodeSpec, Schema } from "@/document/schema";
import type { Path } from "@/document/subgraphs";
import {
  type Frame,
  isLink,
  type NodeId,
  type NodeRecord,
  type Position,
  type Sheet,
  titleOf,
} from "@/document/types";
import { typeAt } from "@/document/typing";
import { t } from "@/strings/strings";

export const SOCKET_PX = 10;

export type NodeData = { record: NodeRecord; spec: NodeSpec | undefined; geometry: Geometry };
export type CanvasNode = Node<NodeData, "node" | "reroute">;
export type FrameNode = Node<{ frame: Frame }, "frame">;
export type SheetNode = CanvasNode | FrameNode;
export type WireData = { type: string; lit: boolean };
export type Wire = Edge<WireData, "wire">;

type ProjectedView = Pick<ViewState, "selection" | "wires" | "drag" | "hovered">;

interface NodeKey {
  record: NodeRecord;
  spec: NodeSpec | undefined;
  preview: boolean;
  selected: boolean;
  at: Position;
  /** Seen from far away nodes have no sockets to measure; coming near, they are told anew. */
  far: boolean;
}

export interface Projection {
  nodes: CanvasNode[];
  wires: Wire[];
}

export type Projector = (
  sheet: Sheet,
  schema: Schema,
  view: ProjectedView,
  previewed: ReadonlySet<NodeId>,
  far?: boolean,
  path?: Path,
) => Projection;

/** A projection that remembers its last answer. */
export function createProjector(): Projector {
  let nodes = new Map<NodeId, { key: NodeKey; node: CanvasNode }>();
  let wires = new Map<string, { key: readonly unknown[]; wire: Wire }>();
  let last: Projection = { nodes: [], wires: [] };

  return (sheet, schema, view, previewed, far = false, path = []) => {
    const selection = new Set(view.selection);
    const prefix = path.map((id) => `${id}:`).join("");
    const chosen = new Set(view.wires);
    const nextNodes: typeof nodes = new Map();
    const nextWires: typeof wires = new Map();
    for (const [id, record] of Object.entries(sheet.nodes)) {
      const key: NodeKey = {
        record,
        spec: schema.nodes[record.class_type],
        preview: previewed.has(prefix + id),
        selected: selection.has(id),
        at: view.drag?.[id] ?? record._meta.position,
        far,
      };
      const old = nodes.get(id);
      nextNodes.set(id, old && sameKey(old.key, key) ? old : { key, node: nodeOf(id, key, old) });
      for (const [input, value] of Object.entries(record.inputs)) {
        if (isLink(value) && value[0] in sheet.nodes) {
          const [source, slot] = value;
          const edge = `${id}:${input}`;
          const from = sheet.nodes[source];
          const type = isReroute(from)
            ? typeAt(schema, sheet, { node: source, side: "output", slot, input: "" })
            : schema.nodes[from?.class_type ?? ""]?.outputs[slot]?.type;
          if (type === undefined) {
            continue; // nowhere to draw it from; the list of problems tells
          }
          const lit =
            selection.has(id) ||
            selection.has(source) ||
            view.hovered === id ||
            view.hovered === source;
          const wireKey = [source, slot, type, lit, chosen.has(edge)] as const;
          const before = wires.get(edge);
          const same = before && wireKey.every((part, index) => part === before.key[index]);
          nextWires.set(edge, same ? before : { key: wireKey, wire: wireOf(id, input, wireKey) });
        }
      }
    }
    nodes = nextNodes;
    wires = nextWires;
    last = {
      nodes: kept(
        last.nodes,
        Array.from(nodes.values(), ({ node }) => node),
      ),
      wires: kept(
        last.wires,
        Array.from(wires.values(), ({ wire }) => wire),
      ),
    };
    return last;
  };
}

/** The old array where the new one holds the same objects, so that the library looks no further. */
function kept<T>(before: T[], after: T[]): T[] {
  const same =
    before.length === after.length && after.every((item, index) => item === before[index]);
  return same ? before : after;
}

function sameKey(a: NodeKey, b: NodeKey): boolean {
  return (
    a.record === b.record &&
    a.spec === b.spec &&
    a.preview === b.preview &&
    a.selected === b.selected &&
    a.at === b.at &&
    a.far === b.far
  );
}

function nodeOf(
  id: NodeId,
  key: NodeKey,
  old: { key: NodeKey; node: CanvasNode } | undefined,
): CanvasNode {
  const { record, spec, preview, selected, at } = key;
  const keep =
    old && old.key.record === record && old.key.spec === spec && old.key.preview === preview;
  const data = keep
    ? old.node.data
    : { record, spec, geometry: geometryOf(spec, record, { preview }) };
  const { width, height } = data.geometry;
  return {
    id,
    type: isReroute(record) ? "reroute" : "node",
    position: { x: at[0], y: at[1] },
    width,
    height,
    measured: { width, height },
    handles: keep ? (old.node.handles ?? []) : handlesOf(data.geometry),
    selected,
    data,
    ariaLabel: t.sheet.node(titleOf(record, spec?.title)),
  };
}

function handlesOf(geometry: Geometry): NodeHandle[] {
  return geometry.sockets.map(({ id, side, y }) => ({
    id,
    type: side === "input" ? "target" : "source",
    position: side === "input" ? Side.Left : Side.Right,
    x: (side === "input" ? 0 : geometry.width) - SOCKET_PX / 2,
    y: y - SOCKET_PX / 2,
    width: SOCKET_PX,
    height: SOCKET_PX,
  }));
}

function wireOf(
  target: NodeId,
  input: string,
  [source, slot, type, lit, selected]: readonly [NodeId, number, string, boolean, boolean],
): Wire {
  return {
    id: `${target}:${input}`,
    type: "wire",
    source,
    target,
    sourceHandle: `out:${slot}`,
    targetHandle: `in:${input}`,
    selected,
    reconnectable: "target",
    data: { type, lit },
    ariaLabel: t.sheet.wire(source, input, target),
  };
}
