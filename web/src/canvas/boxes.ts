/** Where every node lies on the sheet. */

import { geometryOf } from "@/canvas/geometry";
import type { Box } from "@/document/boxes";
import type { Boxes } from "@/document/frames";
import type { Schema } from "@/document/schema";
import { type Path, runId } from "@/document/subgraphs";
import type { NodeId, Sheet } from "@/document/types";

interface Known {
  path: string;
  schema: Schema;
  previewed: ReadonlySet<NodeId>;
  boxes: Boxes;
}

const known = new WeakMap<Sheet, Known>();

/** The boxes of all nodes of a sheet, computed once for each of its states. */
export function boxesOf(
  sheet: Sheet,
  path: Path,
  schema: Schema,
  previewed: ReadonlySet<NodeId>,
): Boxes {
  const old = known.get(sheet);
  const at = path.join(":");
  if (old && old.schema === schema && old.previewed === previewed && old.path === at) {
    return old.boxes;
  }
  const boxes = new Map<NodeId, Box>();
  for (const [id, record] of Object.entries(sheet.nodes)) {
    const [x, y] = record._meta.position;
    const look = { preview: previewed.has(runId(path, id)) };
    const { width, height } = geometryOf(schema.nodes[record.class_type], record, look);
    boxes.set(id, { x, y, width, height });
  }
  known.set(sheet, { path: at, schema, previewed, boxes });
  return boxes;
}
