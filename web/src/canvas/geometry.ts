/**
 * Where everything on a node lies, computed from its class.
 *
 * The canvas library is given sizes and sockets and so never measures; wires exist before nodes are
 * drawn, and layout works without a browser.
 */

import { isReroute, REROUTE_INPUT } from "@/document/reroutes";
import { type InputSpec, type NodeSpec, showsPictures } from "@/document/schema";
import { isLink, type NodeRecord } from "@/document/types";
import { heightOf, kindOf, ROW_PX } from "@/widgets/kinds";

export const TITLE_PX = 32;
const PAD_PX = 8;
const SLIM_PX = 168;
const NARROW_PX = 232;
const WIDE_PX = 296;
const PICTURE_NODE_PX = 296;

export interface SocketPlace {
  /** `in:NAME` or `out:SLOT`. */
  id: string;
  side: "input" | "output";
  slot: number;
  input: string;
  type: string;
  title: string;
  required: boolean;
  /** It belongs to a widget, and shows itself only when wanted. */
  quiet: boolean;
  y: number;
}

export interface WidgetPlace {
  input: InputSpec;
  y: number;
  height: number;
}

export interface Geometry {
  width: number;
  height: number;
  sockets: readonly SocketPlace[];
  widgets: readonly WidgetPlace[];
  /** The mat for finished pictures or the live preview. */
  mat: { y: number; height: number; holds: "picture" | "preview" } | null;
}

/** A dot on a wire: it takes at its left edge and gives at its right. */
export const REROUTE_PX = 12;

const REROUTE_GEOMETRY: Geometry = {
  width: REROUTE_PX,
  height: REROUTE_PX,
  sockets: [
    inputSocket(
      { name: REROUTE_INPUT, type: "*", title: "", required: true },
      REROUTE_PX / 2,
      false,
    ),
    outputSocket({ name: "", type: "*", title: "" }, 0, REROUTE_PX / 2),
  ],
  widgets: [],
  mat: null,
};

export interface Look {
  preview: boolean;
}

/** The geometry of a node; `spec` is undefined for a class the server does not have. */
export function geometryOf(spec: NodeSpec | undefined, record: NodeRecord, look: Look): Geometry {
  if (isReroute(record)) {
    return REROUTE_GEOMETRY;
  }
  const shape = spec ?? guess(record);
  const inputs = shape.inputs.filter((input) => input.socket);
  const fields = shape.inputs.filter((input) => !input.socket);
  const width = widthOf(shape, fields);
  if (record._meta.collapsed) {
    return collapsed(shape, width);
  }
  const sockets: SocketPlace[] = [
    ...inputs.map((input, index) => inputSocket(input, rowCentre(index), false)),
    ...shape.outputs.map((output, slot) => outputSocket(output, slot, rowCentre(slot))),
  ];
  const widgets: WidgetPlace[] = [];
  const rows = Math.max(inputs.length, shape.outputs.length);
  let y = TITLE_PX + rows * ROW_PX;
  for (const input of fields) {
    const height = heightOf(kindOf(input));
    widgets.push({ input, y, height });
    sockets.push(inputSocket(input, y + ROW_PX / 2, true));
    y += height;
  }
  const mat = matOf(shape, look, y, width);
  return { width, height: y + PAD_PX + (mat ? mat.height + PAD_PX : 0), sockets, widgets, mat };
}

function rowCentre(row: number): number {
  return TITLE_PX + row * ROW_PX + ROW_PX / 2;
}

function inputSocket(
  input: Pick<InputSpec, "name" | "type" | "title" | "required">,
  y: number,
  quiet: boolean,
): SocketPlace {
  const { name, type, title, required } = input;
  return { id: `in:${name}`, side: "input", slot: 0, input: name, type, title, required, quiet, y };
}

function outputSocket(output: NodeSpec["outputs"][number], slot: number, y: number): SocketPlace {
  const { type, title } = output;
  return {
    id: `out:${slot}`,
    side: "output",
    slot,
    input: "",
    type,
    title,
    required: true,
    quiet: false,
    y,
  };
}

function collapsed(shape: NodeSpec, width: number): Geometry {
  const y = TITLE_PX / 2;
  const sockets = [
    ...shape.inputs.map((input) => inputSocket(input, y, true)),
    ...shape.outputs.map((output, slot) => outputSocket(output, slot, y)),
  ];
  return { width, height: TITLE_PX, sockets, widgets: [], mat: null };
}

function widthOf(shape: NodeSpec, fields: readonly InputSpec[]): number {
  if (fields.some((input) => kindOf(input) === "paragraph")) {
    return WIDE_PX;
  }
  if (showsPictures(shape)) {
    return PICTURE_NODE_PX;
  }
  return fields.length === 0 ? SLIM_PX : NARROW_PX;
}

function matOf(shape: NodeSpec, look: Look, y: number, width: number): Geometry["mat"] {
  const height = width - 2 * PAD_PX;
  if (showsPictures(shape)) {
    return { y: y + PAD_PX, height, holds: "picture" };
  }
  return look.preview ? { y: y + PAD_PX, height, holds: "preview" } : null;
}

/** What can be known of a node whose class is missing: the inputs its file names. */
function guess(record: NodeRecord): NodeSpec {
  const inputs = Object.entries(record.inputs).map(
    ([name, value]): InputSpec => ({
      name,
      title: name,
      type: isLink(value) ? "*" : "JSON",
      required: false,
      socket: isLink(value),
      default: null,
      min: null,
      max: null,
      step: null,
      round: null,
      choices: null,
      folder: null,
      upload: false,
      multiline: false,
      seed: false,
      help: "",
    }),
  );
  const { class_type: name } = record;
  return {
    name,
    title: name,
    category: "",
    help: "",
    version: 1,
    effect: false,
    inputs,
    outputs: [],
  };
}
