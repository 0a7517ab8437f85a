/**
 * Places for nodes that came without any: columns by distance from the sources, each column ordered
 * by where its wires come from.
 */

import { isLink, type NodeId, type Position, type Sheet } from "@/document/types";

const GAP_X = 72;
const GAP_Y = 32;

export type SizeOf = (id: NodeId) => { width: number; height: number };

/** A position for every node of the sheet. */
export function layout(sheet: Sheet, sizeOf: SizeOf): Record<NodeId, Position> {
  const columns = columnsOf(sheet);
  const positions: Record<NodeId, Position> = {};
  const centre = new Map<NodeId, number>();
  let x = 0;
  for (const column of columns) {
    const wish = (id: NodeId) => meanCentre(sheet, id, centre);
    const ordered = [...column].sort((a, b) => wish(a) - wish(b));
    let y = 0;
    let width = 0;
    for (const id of ordered) {
      const size = sizeOf(id);
      positions[id] = [x, y];
      centre.set(id, y + size.height / 2);
      y += size.height + GAP_Y;
      width = Math.max(width, size.width);
    }
    x += width + GAP_X;
  }
  return positions;
}

/** Nodes by the length of the longest way to them; a loop is cut where it closes. */
function columnsOf(sheet: Sheet): NodeId[][] {
  const depth = new Map<NodeId, number>();
  const waiting = new Map<NodeId, number>();
  const users = new Map<NodeId, NodeId[]>();
  for (const id of Object.keys(sheet.nodes)) {
    const sources = sourcesOf(sheet, id);
    waiting.set(id, sources.length);
    for (const source of sources) {
      users.set(source, [...(users.get(source) ?? []), id]);
    }
  }
  let ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  const columns: NodeId[][] = [];
  const left = new Set(waiting.keys());
  while (left.size > 0) {
    const column = ready.length > 0 ? ready : [...left].slice(0, 1);
    ready = [];
    for (const id of column) {
      left.delete(id);
      depth.set(id, columns.length);
    }
    for (const user of column.flatMap((id) => users.get(id) ?? [])) {
      const count = (waiting.get(user) ?? 0) - 1;
      waiting.set(user, count);
      if (count === 0 && left.has(user)) {
        ready.push(user);
      }
    }
    columns.push(column);
  }
  return columns;
}

function sourcesOf(sheet: Sheet, id: NodeId): NodeId[] {
  const links = Object.values(sheet.nodes[id]?.inputs ?? {}).filter(isLink);
  return [...new Set(links.map(([source]) => source))].filter((source) => source in sheet.nodes);
}

function meanCentre(sheet: Sheet, id: NodeId, centre: ReadonlyMap<NodeId, number>): number {
  const known = sourcesOf(sheet, id).flatMap((source) => centre.get(source) ?? []);
  return known.length === 0 ? 0 : known.reduce((a, b) => a + b, 0) / known.length;
}
