/** How the list of completions looks: it lies outside the editor, where its styles do not reach. */

import { EditorView } from "@codemirror/view";

const LIST = ".cm-tooltip.cm-tooltip-autocomplete";

export const COMPLETIONS = EditorView.theme({
  [`&${LIST}, ${LIST}`]: {
    overflow: "hidden",
    border: "1px solid var(--node-edge)",
    borderRadius: "9px",
    background: "var(--node)",
    color: "var(--text)",
    boxShadow: "0 8px 28px var(--shadow)",
  },
  [`${LIST} > ul`]: { maxHeight: "220px", padding: "4px", fontFamily: "inherit" },
  [`${LIST} > ul > li`]: {
    display: "flex",
    justifyContent: "space-between",
    gap: "20px",
    padding: "4px 8px",
    borderRadius: "5px",
  },
  [`${LIST} > ul > li[aria-selected]`]: { background: "var(--raised)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--text-3)", fontStyle: "normal" },
  ".cm-completionMatchedText": { color: "var(--accent-strong)", textDecoration: "none" },
});
