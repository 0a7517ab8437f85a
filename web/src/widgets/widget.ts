/** What every widget is given. */

import type { InputSpec } from "@/document/schema";
import type { Json, NodeId } from "@/document/types";
import { t } from "@/strings/strings";

export interface WidgetProps {
  node: NodeId;
  nodeTitle: string;
  input: InputSpec;
  /** What it is called where its node is not seen. */
  label?: string | undefined;
  value: Json;
  /** `gesture` names a drag, so that all of it becomes one step of the history. */
  onChange: (value: Json, gesture?: string) => void;
}

/** The accessible name of a field: what it is, and on which node. */
export function labelOf({
  input,
  nodeTitle,
  label,
}: Pick<WidgetProps, "input" | "nodeTitle" | "label">): string {
  return label ?? t.widgets.of(input.title, nodeTitle);
}
