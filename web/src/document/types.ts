/**
 * The records a workflow is made of, exactly as they stand in a saved file.
 *
 * The document in memory *is* the file: values by input name, a wire as `[source, slot]` in the
 * place of the value it drives.  Nothing here knows React, the canvas or the server.
 */

export type NodeId = string;

/** A wire's far end: the node it comes from and which of its outputs. */
export type Link = readonly [source: NodeId, slot: number];

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** What an input holds.  Integers beyond 2^53 are decimal strings. */
export type Value = Json | Link;

export type Position = readonly [x: number, y: number];

/** What a run does with a seed before it begins: keep it, draw a new one, take the next. */
export type SeedControl = "fixed" | "randomize" | "increment";

export interface NodeMeta {
  title?: string | undefined;
  position: Position;
  mode?: string | undefined;
  collapsed?: boolean | undefined;
  seed_control?: SeedControl | undefined;
  /** What fields held before a wire took their place; they hold it again when the wire goes. */
  values?: Record<string, Json> | undefined;
}

export interface NodeRecord {
  class_type: string;
  version?: number | undefined;
  inputs: Record<string, Value>;
  _meta: NodeMeta;
}

/** The public name of one input: what a form shows and `--set` takes. */
export interface Parameter {
  node: NodeId;
  input: string;
  /** What a form calls it, where the public name will not do. */
  label?: string | undefined;
}

export interface Result {
  node: NodeId;
  output: number;
}

/** A titled group on the sheet, or with a text a note.  What lies in it moves with it. */
export interface Frame {
  id: string;
  title: string;
  position: Position;
  size: readonly [width: number, height: number];
  text?: string | undefined;
}

/** What lies on one sheet of paper: the top one of a workflow, or the inside of a subgraph. */
export interface Sheet {
  nodes: Record<NodeId, NodeRecord>;
  frames: Frame[];
}

/** An input or an output of a subgraph; `default` is what an instance holds that says nothing. */
export interface End {
  name: string;
  title?: string | undefined;
  type: string;
  default?: Json | undefined;
}

/** What instances of a subgraph are made of.  Its entrance and exit are nodes among its nodes. */
export interface Subgraph extends Sheet {
  name: string;
  inputs: End[];
  outputs: End[];
}

export interface Workflow extends Sheet {
  safelight: 1;
  id: string;
  name: string;
  subgraphs: Record<string, Subgraph>;
  parameters: Record<string, Parameter>;
  results: Record<string, Result>;
}

/** Whether a value is a wire rather than a literal. */
export function isLink(value: Value | undefined): value is Link {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "string" &&
    typeof value[1] === "number"
  );
}

/** The name of a workflow that was given none. */
export const UNTITLED = "Untitled";

/** An empty sheet. */
export function emptyWorkflow(id: string, name = UNTITLED): Workflow {
  return {
    safelight: 1,
    id,
    name,
    nodes: {},
    frames: [],
    subgraphs: {},
    parameters: {},
    results: {},
  };
}

/** What a node is called on the canvas: its own title, or its class's. */
export function titleOf(record: NodeRecord, classTitle: string | undefined): string {
  return record._meta.title || classTitle || record.class_type;
}
