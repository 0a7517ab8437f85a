import { expect, test } from "vitest";
import { createProjector } from "@/canvas/project";
import { connect, move, setValue } from "@/document/commands";
import { createDocument } from "@/document/store";
import { pipeline, record, SCHEMA } from "../fixture";

const VIEW = { selection: [], wires: [], drag: null, hovered: null };
const NONE: ReadonlySet<string> = new Set();

function changed<T extends { id: string }>(before: readonly T[], after: readonly T[]): string[] {
  return after.filter((item) => !before.includes(item)).map(({ id }) => id);
}

test("an untouched document projects to the very same objects", () => {
  const project = createProjector();
  const first = project(pipeline(), SCHEMA, VIEW, NONE);
  expect(first.nodes).toHaveLength(5);
  const workflow = pipeline();
  const one = project(workflow, SCHEMA, VIEW, NONE);
  const two = project(workflow, SCHEMA, { ...VIEW }, NONE);
  expect(changed(one.nodes, two.nodes)).toEqual([]);
  expect(changed(one.wires, two.wires)).toEqual([]);
  expect(two.nodes).toBe(one.nodes);
  expect(two.wires).toBe(one.wires);
});

test("a command changes only the objects of the records it touched", () => {
  const project = createProjector();
  const store = createDocument(pipeline());
  const show = () => project(store.workflow(), SCHEMA, VIEW, NONE);
  const first = show();
  store.apply(setValue("2", "text", "a dog"));
  const second = show();
  expect(changed(first.nodes, second.nodes)).toEqual(["2"]);
  expect(changed(first.wires, second.wires)).toEqual([]);
  store.apply(move({ "4": [1, 2] }));
  expect(changed(second.nodes, show().nodes)).toEqual(["4"]);
  store.apply(connect({ source: "3", slot: 0, target: "3", input: "latent" }));
  expect(changed(second.wires, show().wires)).toEqual(["3:latent"]);
});

test("selecting a node changes it and lights its wires, nothing else", () => {
  const project = createProjector();
  const workflow = pipeline();
  const first = project(workflow, SCHEMA, VIEW, NONE);
  const second = project(workflow, SCHEMA, { ...VIEW, selection: ["4"] }, NONE);
  expect(changed(first.nodes, second.nodes)).toEqual(["4"]);
  expect(changed(first.wires, second.wires)).toEqual(["4:samples", "5:images"]);
});

test("while a node is dragged its contents stay the same object", () => {
  const project = createProjector();
  const workflow = pipeline();
  const [before] = project(workflow, SCHEMA, VIEW, NONE).nodes;
  const [during] = project(workflow, SCHEMA, { ...VIEW, drag: { "1": [50, 60] } }, NONE).nodes;
  expect(during?.position).toEqual({ x: 50, y: 60 });
  expect(during?.data).toBe(before?.data);
});

test("every wire ends in a socket that both nodes have", () => {
  const { nodes, wires } = createProjector()(pipeline(), SCHEMA, VIEW, NONE);
  const handles = new Map(
    nodes.map(({ id, handles }) => [id, handles?.map((handle) => handle.id)]),
  );
  for (const { source, target, sourceHandle, targetHandle } of wires) {
    expect(handles.get(source)).toContain(sourceHandle);
    expect(handles.get(target)).toContain(targetHandle);
  }
  expect(wires).toHaveLength(5);
});

test("a preview makes room on its node and moves no socket", () => {
  const project = createProjector();
  const workflow = pipeline();
  const plain = project(workflow, SCHEMA, VIEW, NONE).nodes[2];
  const shown = project(workflow, SCHEMA, VIEW, new Set(["3"])).nodes[2];
  expect(shown?.height).toBeGreaterThan(plain?.height ?? 0);
  expect(shown?.handles).toEqual(plain?.handles);
});

test("a node of an unknown class is drawn with the inputs its file names", () => {
  const workflow = {
    ...pipeline(),
    nodes: { ...pipeline().nodes, "9": record("Gone", { x: ["3", 0], y: 1 }) },
  };
  const { nodes, wires } = createProjector()(workflow, SCHEMA, VIEW, NONE);
  expect(nodes.at(-1)?.handles?.map(({ id }) => id)).toEqual(["in:x", "in:y"]);
  expect(wires.map(({ id }) => id)).toContain("9:x");
});
