/** Running only so far: to the nodes that were pointed at, and what they need. */

import { freshId } from "@/document/commands";
import type { NodeSpec, Schema } from "@/document/schema";
import { classOf, openAt, type Path, runId, sheetAt } from "@/document/subgraphs";
import type { NodeId, NodeRecord, Workflow } from "@/document/types";
import { fits } from "@/document/typing";

/** A run that stops early. */
export interface Part {
  /** What is posted: the document, and a node that shows what a target gives where none does. */
  workflow: Workflow;
  targets: NodeId[];
  /** Nodes that are only in what is posted, with those whose results they show. */
  shown: ReadonlyMap<NodeId, NodeId>;
}

/** The run up to `ids` of the sheet at the end of a path; undefined if nothing there can be shown. */
export function partTo(
  workflow: Workflow,
  schema: Schema,
  ids: readonly NodeId[],
  path: Path = [],
): Part | undefined {
  const sheet = sheetAt(workflow, path);
  const targets: NodeId[] = [];
  const shown = new Map<NodeId, NodeId>();
  const added: Record<NodeId, NodeRecord> = {};
  for (const id of ids) {
    const spec = schema.nodes[sheet.nodes[id]?.class_type ?? ""];
    if (spec?.effect) {
      targets.push(runId(path, id));
    } else if (spec) {
      const viewer = viewerOf(schema, id, spec, sheet.nodes[id]);
      if (viewer) {
        const fresh = freshId(sheet, new Set(Object.keys(added)));
        added[fresh] = viewer;
        shown.set(runId(path, fresh), runId(path, id));
        targets.push(runId(path, fresh));
      }
    }
  }
  return targets.length > 0
    ? { workflow: withNodes(workflow, path, added), targets, shown }
    : undefined;
}

/** The workflow with more nodes on the sheet at the end of a path. */
function withNodes(
  workflow: Workflow,
  path: Path,
  added: Readonly<Record<NodeId, NodeRecord>>,
): Workflow {
  const definition = openAt(workflow, path);
  const inner = workflow.subgraphs[definition ?? ""];
  if (definition === undefined || !inner) {
    return { ...workflow, nodes: { ...workflow.nodes, ...added } };
  }
  const grown = { ...inner, nodes: { ...inner.nodes, ...added } };
  return { ...workflow, subgraphs: { ...workflow.subgraphs, [definition]: grown } };
}

/** A node that shows the first output that any class can show, keeping nothing if possible. */
function viewerOf(
  schema: Schema,
  id: NodeId,
  spec: NodeSpec,
  record: NodeRecord | undefined,
): NodeRecord | undefined {
  const viewers = Object.values(schema.nodes)
    .filter(
      ({ name, effect, inputs }) => effect && inputs.length === 1 && !name.startsWith(classOf("")),
    )
    .sort((a, b) => Number(b.name === "PreviewImage") - Number(a.name === "PreviewImage"));
  for (const [slot, { type }] of spec.outputs.entries()) {
    const viewer = viewers.find(({ inputs: [input] }) => input && fits(schema, type, input.type));
    const [input] = viewer?.inputs ?? [];
    if (viewer && input && record) {
      const _meta = { title: viewer.title, position: record._meta.position };
      return { class_type: viewer.name, inputs: { [input.name]: [id, slot] }, _meta };
    }
  }
  return undefined;
}
