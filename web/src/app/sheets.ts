/** Walking in and out of subgraphs. */

import type { Workbench } from "@/app/workbench";
import { type Path, placeOf } from "@/document/subgraphs";
import type { NodeId } from "@/document/types";

/** Open the sheet at the end of a path, choosing these nodes of it. */
export function openSheet(
  { document, view }: Workbench,
  path: Path,
  selection: readonly NodeId[] = [],
): void {
  document.open(path);
  view.setState({ selection, wires: [], frames: [], hovered: null, renaming: null });
}

/** Leave the open subgraph; its instance is what is chosen then. */
export function leaveSheet(workbench: Workbench): void {
  const { path } = workbench.document.state.getState();
  openSheet(workbench, path.slice(0, -1), path.slice(-1));
}

/** Go to the node that the server calls so, on whichever sheet it is. */
export function goTo(workbench: Workbench, node: NodeId): void {
  const { path, id } = placeOf(workbench.document.workflow(), node);
  if (path.join() !== workbench.document.state.getState().path.join()) {
    openSheet(workbench, path);
  }
  workbench.view.setState({ selection: [id] });
  requestAnimationFrame(() => workbench.camera.current?.reveal([id]));
}
