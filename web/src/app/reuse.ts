/** Going back to the settings of an earlier result. */

import { laidOut, openWorkflow } from "@/app/files";
import type { Workbench } from "@/app/workbench";
import { readWorkflow } from "@/document/read";
import { type Sheet, UNTITLED, type Workflow } from "@/document/types";
import { randomId } from "@/runtime/ids";
import { t } from "@/strings/strings";

/** Put the workflow of that job in the place of the open one, with its seed kept; undo goes back. */
export async function takeSettings(workbench: Workbench, job: string): Promise<void> {
  const { api, document, runs, schema } = workbench;
  try {
    const json = await api.settings(job);
    if (json === undefined) {
      runs.state.setState({ notice: t.history.forgotten });
      return;
    }
    const opened = laidOut(readWorkflow(json, randomId()), schema.getState());
    const name = opened.name === UNTITLED ? document.workflow().name : opened.name;
    openWorkflow(workbench, { ...withKeptSeeds(opened), name }, t.lightbox.reuse, t.history.reused);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    runs.state.setState({ notice: t.history.unread(why) });
  }
}

/** Run again, it shall give the same picture: no seed is drawn anew. */
function withKeptSeeds(workflow: Workflow): Workflow {
  const subgraphs = Object.fromEntries(
    Object.entries(workflow.subgraphs).map(([id, inner]) => [
      id,
      { ...inner, nodes: keptSeeds(inner.nodes) },
    ]),
  );
  return { ...workflow, subgraphs, nodes: keptSeeds(workflow.nodes) };
}

function keptSeeds(nodes: Sheet["nodes"]): Sheet["nodes"] {
  return Object.fromEntries(
    Object.entries(nodes).map(([id, record]) => {
      const { seed_control: control } = record._meta;
      const meta =
        control === undefined ? record._meta : { ...record._meta, seed_control: "fixed" as const };
      return [id, { ...record, _meta: meta }];
    }),
  );
}
