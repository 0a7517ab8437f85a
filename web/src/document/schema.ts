/** What the server says about node classes: the records that widgets, sockets and checks are made from. */

import type { Json } from "@/document/types";
import { t } from "@/strings/strings";

export interface TypeSpec {
  bases: readonly string[];
  title: string;
  help: string;
}

export interface InputSpec {
  name: string;
  title: string;
  type: string;
  required: boolean;
  /** Only a wire can feed it. */
  socket: boolean;
  default: Json;
  min: number | null;
  max: number | null;
  step: number | null;
  round: number | null;
  choices: readonly string[] | null;
  folder: string | null;
  upload: boolean;
  multiline: boolean;
  seed: boolean;
  help: string;
}

export interface OutputSpec {
  name: string;
  title: string;
  type: string;
}

export interface NodeSpec {
  name: string;
  title: string;
  category: string;
  help: string;
  version: number;
  /** It writes or shows something: the start point of a run. */
  effect: boolean;
  inputs: readonly InputSpec[];
  outputs: readonly OutputSpec[];
  /** It is on the canvas by itself: nobody adds it. */
  hidden?: boolean;
  /** Pictures are shown on it; where it is not said, its inputs tell. */
  pictures?: boolean;
}

export interface Schema {
  digest: string;
  types: Readonly<Record<string, TypeSpec>>;
  nodes: Readonly<Record<string, NodeSpec>>;
}

/** The input of that name, if the class has one. */
export function inputOf(spec: NodeSpec | undefined, name: string): InputSpec | undefined {
  return spec?.inputs.find((input) => input.name === name);
}

/** Whether pictures are shown on nodes of a class. */
export function showsPictures({ pictures, effect, inputs }: NodeSpec): boolean {
  return pictures ?? (effect && inputs.some((input) => input.type === "IMAGE"));
}

/** The value a fresh input holds; undefined where only a wire will do. */
export function defaultOf(input: InputSpec): Json | undefined {
  if (input.socket) {
    return undefined;
  }
  if (input.default !== null && input.default !== undefined) {
    return input.default;
  }
  switch (input.type) {
    case "COMBO":
      return input.choices?.[0] ?? "";
    case "STRING":
      return "";
    case "BOOLEAN":
      return false;
    case "INT":
    case "FLOAT":
      return Math.max(0, input.min ?? 0);
    default:
      return undefined;
  }
}

/** A type in plain words. */
export function typeTitle(schema: Schema, type: string): string {
  const plain: Readonly<Record<string, string>> = t.types;
  const known = plain[type] ?? schema.types[type]?.title;
  return known ?? type.charAt(0) + type.slice(1).toLowerCase().replaceAll("_", " ");
}
