import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addNode,
  type Command,
  connect,
  disconnect,
  freshId,
  move,
  remove,
  rename,
  setMeta,
  setValue,
} from "@/document/commands";
import { addFrame, removeFrames, setFrame } from "@/document/frames";
import { defaultOf, inputOf } from "@/document/schema";
import { createDocument } from "@/document/store";
import { isLink } from "@/document/types";
import { pipeline, record, SCHEMA } from "../fixture";

const fallback = (classType: string, name: string) => {
  const input = inputOf(SCHEMA.nodes[classType], name);
  return input && defaultOf(input);
};

const id = fc.constantFrom("1", "2", "3", "4", "5", "6", "7");
const frameId = fc.constantFrom("f1", "f2");
const command: fc.Arbitrary<Command> = fc.oneof(
  id.map((node) => addNode(node, record("Text", { value: "x" }))),
  fc.tuple(id, id).map(([source, target]) => connect({ source, slot: 0, target, input: "text" })),
  id.map((target) => disconnect([{ target, input: "clip" }], fallback)),
  fc.tuple(id, fc.string()).map(([node, text]) => setValue(node, "text", text)),
  fc.tuple(id, fc.integer(), fc.integer()).map(([node, x, y]) => move({ [node]: [x, y] })),
  fc.uniqueArray(id).map((ids) => remove(ids, fallback)),
  fc.tuple(id, fc.string()).map(([node, title]) => setMeta(node, "Rename node", { title })),
  fc.string().map(rename),
  fc
    .tuple(frameId, fc.string())
    .map(([frame, title]) => addFrame({ id: frame, title, position: [0, 0], size: [200, 100] })),
  fc.tuple(frameId, fc.integer()).map(([frame, x]) => move({}, { [frame]: [x, 0] })),
  fc.tuple(frameId, fc.string()).map(([frame, title]) => setFrame(frame, "Rename", { title })),
  fc.uniqueArray(frameId).map(removeFrames),
);

test("undoing everything gives the first document back, and redoing everything the last", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 30 }),
      fc.infiniteStream(fc.nat(2000)),
      (commands, pauses) => {
        let clock = 0;
        const store = createDocument(pipeline(), undefined, () => clock);
        for (const next of commands) {
          clock += pauses.next().value ?? 0;
          store.apply(next);
        }
        const last = store.workflow();
        while (store.undo() !== undefined);
        expect(store.workflow()).toEqual(pipeline());
        while (store.redo() !== undefined);
        expect(store.workflow()).toEqual(last);
      },
    ),
  );
});

test("no command leaves a wire from a node that is gone", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
      const store = createDocument(pipeline());
      for (const next of commands) {
        store.apply(next);
      }
      const { nodes } = store.workflow();
      const sources = Object.values(nodes).flatMap((node) =>
        Object.values(node.inputs).filter(isLink),
      );
      expect(sources.filter(([source]) => !(source in nodes))).toEqual([]);
    }),
  );
});

test("deleting a node cuts its wires and drops its public names in one step", () => {
  const store = createDocument(pipeline());
  store.apply(remove(["2"], fallback));
  const { nodes, parameters } = store.workflow();
  expect(nodes["3"]?.inputs).toEqual({ model: ["1", 0], seed: 7, steps: 20 });
  expect(parameters).toEqual({ seed: { node: "3", input: "seed" } });
  const step = store.undo();
  expect(step?.label).toBe("Delete node");
  expect([...(step?.touched ?? [])].sort()).toEqual(["2", "3"]);
  expect(store.workflow()).toEqual(pipeline());
});

test("a field whose wire is cut holds again what it held before", () => {
  const store = createDocument(pipeline());
  store.apply(addNode("6", record("Text", { value: "from elsewhere" })));
  store.apply(connect({ source: "6", slot: 0, target: "2", input: "text" }));
  expect(store.workflow().nodes["2"]?.inputs.text).toEqual(["6", 0]);
  store.apply(remove(["6"], fallback));
  expect(store.workflow()).toEqual(pipeline());
});

test("a field that a file brought with a wire gets its default when the wire is cut", () => {
  const wired = {
    ...pipeline(),
    nodes: { ...pipeline().nodes, "2": record("Encode", { text: ["9", 0] }) },
  };
  const store = createDocument(wired);
  store.apply(disconnect([{ target: "2", input: "text" }], fallback));
  expect(store.workflow().nodes["2"]?.inputs.text).toBe("");
});

test("a change that changes nothing is no step of the history", () => {
  const store = createDocument(pipeline());
  expect(store.apply(setValue("3", "steps", 20))).toBe(false);
  expect(store.undo()).toBeUndefined();
});

test("a noted change is kept and cannot be undone", () => {
  const store = createDocument(pipeline());
  store.apply(setValue("2", "text", "a dog"));
  store.note(setValue("3", "seed", 99));
  store.undo();
  expect(store.workflow().nodes["2"]?.inputs.text).toBe("a cat");
  expect(store.workflow().nodes["3"]?.inputs.seed).toBe(99);
});

test("undo selects what was selected before, without nodes that no longer exist", () => {
  let selection: readonly string[] = ["2", "3"];
  const store = createDocument(pipeline(), {
    get: () => selection,
    set: (ids) => {
      selection = ids;
    },
  });
  store.apply(remove(["2", "3"], fallback));
  expect(selection).toEqual([]);
  store.undo();
  expect(selection).toEqual(["2", "3"]);
});

test("fresh ids count on from the largest number and skip those given away", () => {
  expect(freshId(pipeline())).toBe("6");
  expect(freshId(pipeline(), new Set(["6", "8"]))).toBe("9");
});
