/** Where every node lies on the sheet. */

import { geometryOf } from "@/canvas/geometry";
import type { Box } from "@/document/boxes";
import type { Boxes } from "@/document/frames";
import type { Schema } from "@/document/schema";
import type { NodeId, Workflow } from "@/document/types";

interface Known {
  schema: Schema;
  previewed: ReadonlySet<NodeId>;
  boxes: Boxes;
}

const known = new WeakMap<Workflow, Known>();

/** The boxes of all nodes, computed once for each state of the document. */
export function boxesOf(workflow: Workflow, schema: Schema, previewed: ReadonlySet<NodeId>): Boxes {
  const old = known.get(workflow);
  if (old && old.schema === schema && old.previewed === previewed) {
    return old.boxes;
  }
  const boxes = new Map<NodeId, Box>();
  for (const [id, record] of Object.entries(workflow.nodes)) {
    const [x, y] = record._meta.position;
    const look = { preview: previewed.has(id) };
    const { width, height } = geometryOf(schema.nodes[record.class_type], record, look);
    boxes.set(id, { x, y, width, height });
  }
  known.set(workflow, { schema, previewed, boxes });
  return boxes;
}
