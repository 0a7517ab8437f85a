/** Which widget an input gets, and how tall it is: the part of a widget that layout must know. */

import type { InputSpec } from "@/document/schema";

export type WidgetKind =
  | "integer"
  | "decimal"
  | "seed"
  | "line"
  | "paragraph"
  | "combo"
  | "toggle"
  | "image"
  | "json";

export const ROW_PX = 24;
export const PARAGRAPH_PX = 104;
export const THUMBNAIL_PX = 168;

/** The widget of an input; inputs of unknown types get a JSON field, so that none is ever blank. */
export function kindOf(input: InputSpec): WidgetKind {
  if (input.upload) {
    return "image";
  }
  if (input.choices !== null || input.type === "COMBO") {
    return "combo";
  }
  switch (input.type) {
    case "INT":
      return input.seed ? "seed" : "integer";
    case "FLOAT":
      return "decimal";
    case "STRING":
      return input.multiline ? "paragraph" : "line";
    case "BOOLEAN":
      return "toggle";
    default:
      return "json";
  }
}

/** The height of a widget on its node, in pixels. */
export function heightOf(kind: WidgetKind): number {
  switch (kind) {
    case "paragraph":
      return PARAGRAPH_PX;
    case "image":
      return ROW_PX + THUMBNAIL_PX;
    default:
      return ROW_PX;
  }
}
