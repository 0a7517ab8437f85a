/** Opening and closing what stands beside the sheet. */

import type { Action } from "@/actions/action";
import type { Side } from "@/app/view";

function side(id: Side, key: string, menu: Action["menu"] = []): Action {
  return {
    id,
    group: "View",
    keys: [key],
    menu,
    run: ({ view }, at) => view.setState((old) => ({ side: old.side === id && !at ? null : id })),
  };
}

export const SIDES: readonly Action[] = [
  side("inspector", "I", ["node", "frame"]),
  side("queue", "Q"),
  side("history", "H"),
];
