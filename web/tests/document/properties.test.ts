/** Laws of the document, held against commands in random order. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { pasting, pieceOf } from "@/document/clipboard";
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
import { addFrame, freshName, removeFrames, setFrame } from "@/document/frames";
import { LIMIT } from "@/document/history";
import { parseJson } from "@/document/numbers";
import { readText } from "@/document/read";
import { createDocument, type DocumentStore } from "@/document/store";
import { isLink, type Json, type Workflow } from "@/document/types";
import { pipeline, record } from "../fixture";

const MOST_STEPS = 40;
const INPUTS = ["text", "seed", "clip", "samples", "images"];

/** Makes a command for the document as it is by then. */
type Maker = (workflow: Workflow) => Command;

/** One of a list that may be empty. */
const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % items.length];

const whole = fc.nat(50);
const place = fc.tuple(
  fc.integer({ min: -2000, max: 2000 }),
  fc.integer({ min: -2000, max: 2000 }),
);
const input = fc.constantFrom(...INPUTS);
const json: fc.Arbitrary<Json> = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.array(fc.string(), { maxLength: 3 }),
);
const ids = (workflow: Workflow) => Object.keys(workflow.nodes);

const maker: fc.Arbitrary<Maker> = fc.oneof(
  fc.tuple(fc.constantFrom("Load", "Encode", "Sampler", "Unknown"), place).map(
    ([name, at]): Maker =>
      (workflow) =>
        addNode(freshId(workflow), record(name, {}, at)),
  ),
  fc.tuple(whole, whole, input, fc.nat(3)).map(
    ([from, to, name, slot]): Maker =>
      (workflow) =>
        connect({
          source: pick(ids(workflow), from) ?? "",
          slot,
          target: pick(ids(workflow), to) ?? "",
          input: name,
        }),
  ),
  fc.tuple(whole, input).map(
    ([at, name]): Maker =>
      (workflow) =>
        disconnect([{ target: pick(ids(workflow), at) ?? "", input: name }], () => "default"),
  ),
  fc.tuple(whole, input, json).map(
    ([at, name, value]): Maker =>
      (workflow) =>
        setValue(pick(ids(workflow), at) ?? "", name, value),
  ),
  fc.tuple(whole, place).map(
    ([at, to]): Maker =>
      (workflow) =>
        move({ [pick(ids(workflow), at) ?? ""]: to }),
  ),
  fc.tuple(whole, whole).map(
    ([one, other]): Maker =>
      (workflow) =>
        remove(
          [one, other].map((at) => pick(ids(workflow), at) ?? ""),
          () => undefined,
        ),
  ),
  fc.tuple(whole, fc.constantFrom("mute", "bypass", "always"), fc.boolean()).map(
    ([at, mode, collapsed]): Maker =>
      (workflow) =>
        setMeta(pick(ids(workflow), at) ?? "", "Change", { mode, collapsed }),
  ),
  fc.string().map(
    (name): Maker =>
      () =>
        rename(name),
  ),
  fc.tuple(place, fc.string()).map(
    ([position, title]): Maker =>
      ({ frames }) =>
        addFrame({
          id: freshName(new Set(frames.map(({ id }) => id))),
          title,
          position,
          size: [200, 100],
        }),
  ),
  fc.tuple(whole, fc.string()).map(
    ([at, text]): Maker =>
      ({ frames }) =>
        setFrame(pick(frames, at)?.id ?? "", "Note", { text }),
  ),
  whole.map(
    (at): Maker =>
      ({ frames }) =>
        removeFrames([pick(frames, at)?.id ?? ""]),
  ),
  fc.tuple(whole, whole).map(
    ([one, at]): Maker =>
      (workflow) => {
        const frames = pick(workflow.frames, at)?.id ?? "";
        const piece = pieceOf(workflow, [pick(ids(workflow), one) ?? ""], [frames]);
        return pasting(workflow, piece, [10, 10], "Paste").command;
      },
  ),
);

const sequence = fc.array(maker, { maxLength: MOST_STEPS });

/** A document after the commands, each at a time of its own. */
function played(makers: readonly Maker[]): DocumentStore {
  let clock = 0;
  const store = createDocument(pipeline(), undefined, () => {
    clock += 10_000;
    return clock;
  });
  for (const make of makers) {
    store.apply(make(store.workflow()));
  }
  return store;
}

test("undo to the start is the start, and redo to the end is the end", () => {
  expect(MOST_STEPS).toBeLessThan(LIMIT);
  fc.assert(
    fc.property(sequence, (makers) => {
      const store = played(makers);
      const end = store.workflow();
      let steps = 0;
      while (store.undo()) {
        steps += 1;
      }
      expect(store.workflow()).toEqual(pipeline());
      while (store.redo()) {
        steps -= 1;
      }
      expect(steps).toBe(0);
      expect(store.workflow()).toEqual(end);
    }),
  );
});

test("what is saved and opened again is the same", () => {
  fc.assert(
    fc.property(sequence, (makers) => {
      const workflow = played(makers).workflow();
      const text = JSON.stringify(workflow, null, 2);
      const { workflow: opened, unplaced } = readText(text, "another id");
      expect(unplaced).toEqual([]);
      expect(opened).toEqual(parseJson(text));
    }),
  );
});

test("no wire leads to a node that is gone, and no id is given twice", () => {
  fc.assert(
    fc.property(sequence, (makers) => {
      const { nodes, frames } = played(makers).workflow();
      for (const node of Object.values(nodes)) {
        for (const name of ["clip", "samples", "images"]) {
          const value = node.inputs[name];
          expect(!isLink(value) || value[0] in nodes).toBe(true);
        }
      }
      expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length);
    }),
  );
});
