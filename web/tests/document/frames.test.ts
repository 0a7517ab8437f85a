import { expect, test } from "vitest";
import { boxesOf } from "@/canvas/boxes";
import { dragged, settled, unsnapped } from "@/canvas/dragging";
import { createFrameProjector } from "@/canvas/projectFrames";
import { addFrame, carried, fitted, nodesIn, removeFrames, setFrame } from "@/document/frames";
import { readText } from "@/document/read";
import { createDocument } from "@/document/store";
import { tidy } from "@/document/tidy";
import type { Frame, Workflow } from "@/document/types";
import { pipeline, SCHEMA } from "../fixture";

const NONE = new Set<string>();
const boxesIn = (workflow: Workflow) => boxesOf(workflow, [], SCHEMA, NONE);

/** The pipeline with a frame around its second and third nodes. */
function framed(): Workflow {
  const workflow = pipeline();
  const boxes = boxesIn(workflow);
  const place = fitted(["2", "3"].flatMap((id) => boxes.get(id) ?? []));
  const frame = { id: "f1", title: "Sampling", ...place } as Frame;
  return { ...workflow, frames: [frame] };
}

test("a frame around nodes holds them and no others", () => {
  const workflow = framed();
  expect(nodesIn(workflow.frames[0] as Frame, boxesIn(workflow))).toEqual(["2", "3"]);
});

test("what lies in a frame moves with it, frames in it too", () => {
  const outer = framed();
  const inner = { id: "f2", title: "", position: [350, 10], size: [100, 80] } as const;
  const workflow = { ...outer, frames: [...outer.frames, inner] };
  const [x, y] = workflow.frames[0]?.position ?? [0, 0];
  const moved = carried(workflow, boxesIn(workflow), {
    nodes: {},
    frames: { f1: [x + 10, y + 5] },
  });
  expect(moved).toEqual({
    nodes: { "2": [310, 5], "3": [610, 5] },
    frames: { f1: [x + 10, y + 5], f2: [360, 15] },
  });
});

test("a node dragged out of its frame leaves the frame where it is", () => {
  const workflow = framed();
  const places = unsnapped(workflow, boxesIn(workflow), { "2": [300, 900] });
  expect(settled(places)).toEqual({ nodes: { "2": [300, 900] }, frames: {} });
});

test("a dragged frame snaps as a whole, and keeps its nodes in their places within", () => {
  const workflow = framed();
  const [x, y] = workflow.frames[0]?.position ?? [0, 0];
  const seen = { x: -1000, y: -1000, width: 4000, height: 4000 };
  const { drag } = dragged(workflow, boxesIn(workflow), { "frame:f1": [x + 3, y + 400] }, seen, 6);
  const [fx, fy] = drag["frame:f1"] ?? [0, 0];
  expect(drag["2"]).toEqual([300 + fx - x, fy - y]);
  expect(drag["3"]).toEqual([600 + fx - x, fy - y]);
});

test("deleting a frame keeps its nodes, and undo brings it back", () => {
  const store = createDocument(framed());
  store.apply(removeFrames(["f1"]));
  expect(store.workflow()).toEqual(pipeline());
  expect(store.undo()?.label).toBe("Delete frame");
  expect(store.workflow()).toEqual(framed());
});

test("a frame is named, and its name can be taken back", () => {
  const store = createDocument(pipeline());
  store.apply(addFrame(framed().frames[0] as Frame));
  store.apply(setFrame("f1", "Rename frame", { title: "Latents" }));
  expect(store.workflow().frames[0]?.title).toBe("Latents");
  store.undo();
  expect(store.workflow()).toEqual(framed());
});

test("frames from elsewhere get ids of their own when they are opened", () => {
  const bare = { title: "Group", position: [1.5, 2], size: [300, 200], color: "#335" };
  const text = JSON.stringify({ ...pipeline(), frames: [bare, bare] });
  const { frames } = readText(text, "id").workflow;
  expect(frames.map(({ id }) => id)).toEqual(["f1", "f2"]);
  expect(frames[0]).toMatchObject(bare);
});

test("tidying up is one step, overlaps nothing, and draws the frames around what they held", () => {
  const messy = framed();
  const store = createDocument(messy);
  store.apply(tidy(messy, Object.keys(messy.nodes), boxesIn(messy)));
  const after = store.workflow();
  const boxes = boxesIn(after);
  const held = ["2", "3"].flatMap((id) => boxes.get(id) ?? []);
  expect(after.frames[0]).toMatchObject(fitted(held) ?? {});
  expect(boxes.get("1")?.x).toBe(0);
  expect(store.undo()?.label).toBe("Tidy up");
  expect(store.workflow()).toEqual(messy);
});

test("a frame that did not change is the same object on the canvas", () => {
  const project = createFrameProjector();
  const { frames } = framed();
  const before = project(frames, [], null);
  expect(project([...frames], [], null)).toBe(before);
  expect(project(frames, ["f1"], null)[0]?.selected).toBe(true);
});

test("a frame with a note leaves room for it above its nodes", () => {
  const box = { x: 0, y: 0, width: 100, height: 50 };
  const [plain, noted] = [fitted([box]), fitted([box], "two\nlines")];
  expect(noted?.position[1]).toBe((plain?.position[1] ?? 0) - 40);
  expect(noted?.size[1]).toBe((plain?.size[1] ?? 0) + 40);
});
