/** What every widget is given. */

import type { InputSpec } from "@/document/schema";
import type { Json, NodeId } from "@/document/types";

export interface WidgetProps {
  node: NodeId;
  nodeTitle: string;
  input: InputSpec;
  value: Json;
  /** `gesture` names a drag, so that all of it becomes one step of the history. */
  onChange: (value: Json, gesture?: string) => void;
}

/** The accessible name of a field: what it is, and on which node. */
export function labelOf({ input, nodeTitle }: Pick<WidgetProps, "input" | "nodeTitle">): string {
  return `${input.title} of ${nodeTitle}`;
}
