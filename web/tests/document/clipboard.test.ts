import { expect, test } from "vitest";
import { pasting, pieceIn, pieceOf, renumbered, textOf } from "@/document/clipboard";
import { Unreadable } from "@/document/read";
import { createDocument } from "@/document/store";
import { emptyWorkflow, type Frame, type NodeId, type Workflow } from "@/document/types";
import { pipeline } from "../fixture";

const frame: Frame = {
  id: "f1",
  title: "Words",
  position: [290, -20],
  size: [300, 200],
  text: "why",
};
const framed: Workflow = { ...pipeline(), frames: [frame] };

/** What arrives in another window. */
const carried = (workflow: Workflow, ids: readonly NodeId[], frames: readonly string[] = []) =>
  pieceIn(JSON.parse(textOf(pieceOf(workflow, ids, frames)))) ?? {
    nodes: {},
    frames: [],
    subgraphs: {},
  };

test("pasted nodes have fresh ids, keep the wires among them and those from nodes that are here", () => {
  const { nodes } = carried(pipeline(), ["2", "3"]);
  const copies = renumbered(pipeline(), nodes, [10, 20]);
  expect(Object.keys(copies)).toEqual(["6", "7"]);
  expect(copies["6"]?.inputs.clip).toEqual(["1", 1]);
  expect(copies["7"]?.inputs.positive).toEqual(["6", 0]);
  expect(copies["7"]?._meta.position).toEqual([610, 20]);
});

test("pasted into another workflow, wires from nodes that are not there are dropped", () => {
  const { nodes } = carried(pipeline(), ["2"]);
  const copies = renumbered(emptyWorkflow("other"), nodes, [0, 0]);
  expect(copies["1"]?.inputs).toEqual({ text: "a cat" });
});

test("a frame comes along with its text, under a name of its own, in one step", () => {
  const store = createDocument(framed);
  const piece = carried(framed, ["2"], ["f1"]);
  const { command, frames } = pasting(store.workflow(), piece, [10, 10], "Paste");
  store.apply(command);
  const copy = store.workflow().frames[1];
  expect(copy).toEqual({ ...frame, id: frames[0], position: [300, -10] });
  expect(copy?.id).not.toBe("f1");
  store.undo();
  expect(store.workflow()).toEqual(framed);
});

test("other text on the clipboard is not nodes", () => {
  expect(pieceIn({ nodes: {} })).toBeUndefined();
  expect(pieceIn("text")).toBeUndefined();
});

test("what claims to be nodes but is malformed is refused in words", () => {
  expect(() => pieceIn({ safelight_nodes: 1, nodes: { "1": 5 } })).toThrow(Unreadable);
  expect(() => pieceIn({ safelight_nodes: 1, frames: [{ title: "no place" }] })).toThrow(
    "The workflow is malformed at frames",
  );
});
