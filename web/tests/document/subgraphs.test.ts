/** Laws of subgraphs and reroutes, held against commands in random order. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { pasting, pieceIn, pieceOf, textOf } from "@/document/clipboard";
import { type Command, freshId, move, remove, setMeta, setValue } from "@/document/commands";
import { moveEnd, removeEnd, renameEnd, renameSubgraph } from "@/document/interface";
import { pack, whyNotPack } from "@/document/packing";
import { readText, Unreadable } from "@/document/read";
import { addReroute, pastReroutes } from "@/document/reroutes";
import { createExtend } from "@/document/specs";
import { createDocument, type DocumentStore } from "@/document/store";
import {
  definitionOf,
  edgeOf,
  isExit,
  mayStand,
  neededBy,
  openAt,
  placeOf,
  runId,
  sheetAt,
  sheetsOf,
} from "@/document/subgraphs";
import { isLink, type Json, type Sheet, type Workflow } from "@/document/types";
import { typeAt } from "@/document/typing";
import { unpack } from "@/document/unpacking";
import { validate } from "@/document/validate";
import { join, promote } from "@/document/wiring";
import { pipeline, record, SCHEMA } from "../fixture";

const extend = createExtend();
const fallback = () => undefined;
const schemaOf = (workflow: Workflow) => extend(SCHEMA, workflow.subgraphs);

/** Packs nodes of the open sheet; the id of the instance. */
function packed(store: DocumentStore, ids: readonly string[], name = "Walk"): string {
  const workflow = store.workflow();
  const made = pack(schemaOf(workflow), workflow, store.sheet(), ids, [], name);
  store.apply(made.command, [made.instance]);
  return made.instance;
}

function unpacked(store: DocumentStore, id: string): void {
  const workflow = store.workflow();
  const made = unpack(schemaOf(workflow), workflow, store.sheet(), id, fallback);
  if (made) {
    store.apply(made.command, made.nodes);
  }
}

const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % items.length];

type Step = (store: DocumentStore) => void;
const applying =
  (make: (store: DocumentStore, sheet: Sheet) => Command | undefined): Step =>
  (store) => {
    const command = make(store, store.sheet());
    if (command) {
      store.apply(command);
    }
  };
const ids = (sheet: Sheet) => Object.keys(sheet.nodes);
const wires = (sheet: Sheet) =>
  Object.entries(sheet.nodes).flatMap(([target, { inputs }]) =>
    Object.entries(inputs).flatMap(([input, value]) => (isLink(value) ? [{ target, input }] : [])),
  );

const n = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.uniqueArray(n, { minLength: 1, maxLength: 4 }).map(
    (all): Step =>
      (store) => {
        const chosen = all.map((at) => pick(ids(store.sheet()), at) ?? "");
        if (whyNotPack(store.sheet(), chosen) === undefined) {
          packed(store, chosen);
        }
      },
  ),
  n.map(
    (at): Step =>
      (store) =>
        unpacked(store, pick(ids(store.sheet()), at) ?? ""),
  ),
  n.map(
    (at): Step =>
      (store) => {
        store.open([...store.state.getState().path, pick(ids(store.sheet()), at) ?? ""]);
      },
  ),
  fc.constant<Step>((store) => store.open(store.state.getState().path.slice(0, -1))),
  fc
    .tuple(n, n)
    .map(([one, other]) =>
      applying((_, sheet) =>
        remove([pick(ids(sheet), one) ?? "", pick(ids(sheet), other) ?? ""], fallback),
      ),
    ),
  fc.tuple(n, n).map(([at, x]) =>
    applying((_, sheet) => {
      const end = pick(wires(sheet), at);
      return end && addReroute(freshId(sheet), end, [x, 0]);
    }),
  ),
  fc.tuple(n, n).map(([at, which]) =>
    applying((store, sheet) => {
      const target = pick(ids(sheet), at) ?? "";
      const node = sheet.nodes[target];
      const input = pick(Object.keys(node?.inputs ?? {}), which);
      const open = openAt(store.workflow(), store.state.getState().path) !== undefined;
      return open && node && input !== undefined && !isLink(node.inputs[input])
        ? promote(schemaOf(store.workflow()), sheet, target, input)
        : undefined;
    }),
  ),
  fc.tuple(n, n, fc.constantFrom("inputs", "outputs"), fc.nat(3)).map(([at, which, side, how]) =>
    applying((store) => {
      const definition = pick(Object.keys(store.workflow().subgraphs), at) ?? "";
      const end = pick(store.workflow().subgraphs[definition]?.[side] ?? [], which)?.name ?? "";
      const commands = [
        removeEnd(definition, side, end, fallback),
        moveEnd(definition, side, end, 1),
        renameEnd(definition, side, end, "Other"),
        renameSubgraph(definition, "Other"),
      ];
      return commands[how];
    }),
  ),
  fc.tuple(n, n).map(
    ([one, other]): Step =>
      (store) => {
        const workflow = store.workflow();
        const { path } = store.state.getState();
        const chosen = [one, other].map((at) => pick(ids(store.sheet()), at) ?? "");
        const piece = pieceIn(
          JSON.parse(textOf(pieceOf(workflow, chosen, [], store.sheet()))) as Json,
        );
        if (piece) {
          store.apply(pasting(workflow, piece, [10, 10], "Paste", path).command);
        }
      },
  ),
  fc
    .tuple(n, n)
    .map(([at, x]) => applying((_, sheet) => move({ [pick(ids(sheet), at) ?? ""]: [x, x] }))),
  fc
    .tuple(n, fc.constantFrom("mute", "always"))
    .map(([at, mode]) =>
      applying((_, sheet) => setMeta(pick(ids(sheet), at) ?? "", "Mode", { mode })),
    ),
  fc.tuple(n, n).map(([at, value]) =>
    applying((_, sheet) => {
      const id = pick(ids(sheet), at) ?? "";
      const known = isLink(sheet.nodes[id]?.inputs.steps) ? undefined : sheet.nodes[id];
      return known && "steps" in known.inputs ? setValue(id, "steps", value) : undefined;
    }),
  ),
);
const steps = fc.array(step, { maxLength: 30 });

function played(all: readonly Step[]): DocumentStore {
  let clock = 0;
  const store = createDocument(pipeline(), undefined, () => {
    clock += 10_000;
    return clock;
  });
  for (const take of all) {
    take(store);
  }
  return store;
}

test("undo to the start is the start, and redo to the end is the end", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const store = played(all);
      const end = store.workflow();
      while (store.undo());
      expect(store.workflow()).toEqual(pipeline());
      while (store.redo());
      expect(store.workflow()).toEqual(end);
    }),
  );
});

test("what is saved and opened again is the same", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const text = JSON.stringify(played(all).workflow());
      expect(readText(text, "other").workflow).toEqual(JSON.parse(text));
    }),
  );
});

test("every wire comes from a socket that is there, every definition has an instance", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const workflow = played(all).workflow();
      const schema = schemaOf(workflow);
      for (const sheet of sheetsOf(workflow)) {
        for (const { inputs } of Object.values(sheet.nodes)) {
          for (const value of Object.values(inputs).filter(isLink)) {
            const spec = schema.nodes[sheet.nodes[value[0]]?.class_type ?? ""];
            expect(spec?.outputs[value[1]]).toBeDefined();
          }
        }
      }
      const needed = neededBy(workflow.subgraphs, workflow.nodes);
      expect(new Set(Object.keys(workflow.subgraphs))).toEqual(needed);
      for (const [id, { nodes }] of Object.entries(workflow.subgraphs)) {
        expect(neededBy(workflow.subgraphs, nodes).has(id)).toBe(false);
      }
    }),
  );
});

test("packing and unpacking is as if nothing had been done", () => {
  fc.assert(
    fc.property(steps, fc.uniqueArray(n, { minLength: 1, maxLength: 5 }), (all, chosen) => {
      const store = played(all);
      const before = store.workflow();
      const some = chosen.map((at) => pick(ids(store.sheet()), at) ?? "");
      if (whyNotPack(store.sheet(), some) === undefined) {
        unpacked(store, packed(store, some));
        expect(store.workflow()).toEqual(before);
      }
    }),
  );
});

test("what crosses the edge of the chosen nodes becomes inputs and outputs", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["2", "3"]);
  const { nodes, subgraphs, parameters } = store.workflow();
  expect(id).toBe("6");
  expect(nodes["6"]?.inputs).toEqual({ clip: ["1", 1], model: ["1", 0], text: "a cat", seed: 7 });
  expect(nodes["4"]?.inputs.samples).toEqual(["6", 0]);
  expect(parameters.seed).toEqual({ node: "6", input: "seed" });
  expect(subgraphs.s1?.inputs.map(({ name, type }) => [name, type])).toEqual([
    ["clip", "CLIP"],
    ["model", "MODEL"],
    ["text", "STRING"],
    ["seed", "INT"],
  ]);
  expect(subgraphs.s1?.outputs).toEqual([{ name: "latent", title: "Latent", type: "LATENT" }]);
  const spec = schemaOf(store.workflow()).nodes["subgraph:s1"];
  expect(spec?.inputs.find(({ name }) => name === "text")?.multiline).toBe(true);
  expect(spec?.inputs.find(({ name }) => name === "seed")?.seed).toBe(true);
});

test("nodes with another between them cannot be packed without it", () => {
  expect(whyNotPack(pipeline(), ["2", "4"])).toContain("come");
  expect(whyNotPack(pipeline(), ["2", "3", "4"])).toBeUndefined();
});

test("reroutes on wires among the chosen nodes go along", () => {
  const store = createDocument(pipeline());
  store.apply(addReroute("8", { target: "4", input: "samples" }, [0, 0]));
  packed(store, ["3", "4"]);
  expect(Object.keys(store.workflow().nodes).sort()).toEqual(["1", "2", "5", "9"]);
});

test("each instance has its own values, and one change inside reaches both", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  const piece = pieceOf(store.workflow(), [id]);
  const { command, nodes } = pasting(store.workflow(), piece, [50, 50], "Paste");
  store.apply(command);
  const other = nodes[0] ?? "";
  store.apply(setValue(other, "seed", 99));
  expect(store.workflow().nodes[id]?.inputs.seed).toBe(7);
  store.open([other]);
  store.apply(setValue("3", "steps", 5));
  expect(sheetAt(store.workflow(), [id]).nodes["3"]?.inputs.steps).toBe(5);
  expect(Object.keys(store.workflow().subgraphs)).toEqual(["s1"]);
});

test("undo goes back to the sheet where it was done", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  store.open([id]);
  store.apply(setValue("3", "steps", 5));
  store.open([]);
  expect(store.undo()?.touched).toEqual(["3"]);
  expect(store.state.getState().path).toEqual([id]);
  store.undo();
  expect(store.state.getState().path).toEqual([]);
});

test("a field that is shown outside keeps its value, for every instance that says nothing", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  store.open([id]);
  store.apply(promote(schemaOf(store.workflow()), store.sheet(), "3", "steps"));
  const spec = schemaOf(store.workflow()).nodes["subgraph:s1"];
  expect(spec?.inputs.find(({ name }) => name === "steps")?.default).toBe(20);
  expect(store.workflow().nodes[id]?.inputs.steps).toBeUndefined();
  store.apply(removeEnd("s1", "inputs", "steps", fallback));
  expect(store.sheet().nodes["3"]?.inputs.steps).toBe(20);
});

test("a wire from the socket for new inputs or outputs makes one", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  store.open([id]);
  const schema = () => schemaOf(store.workflow());
  const inputs = store.workflow().subgraphs.s1?.inputs.length ?? 0;
  const wire = { source: "in", slot: inputs, target: "3", input: "latent" };
  store.apply(join(schema(), store.sheet(), wire));
  const [exit = ""] = edgeOf(store.sheet(), isExit) ?? [];
  store.apply(join(schema(), store.sheet(), { source: "3", slot: 0, target: exit, input: "+" }));
  const { inputs: taken = [], outputs: given = [] } = store.workflow().subgraphs.s1 ?? {};
  expect(taken.at(-1)).toEqual({ name: "latent", title: "Latent", type: "LATENT" });
  expect(given.map(({ name }) => name)).toEqual(["latent", "latent_2"]);
});

test("a subgraph cannot come to lie within itself", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  const piece = pieceOf(store.workflow(), [id]);
  expect(mayStand(store.workflow(), [id], "s1")).toBe(false);
  expect(() => pasting(store.workflow(), piece, [0, 0], "Paste", [id])).toThrow(Unreadable);
});

test("a copy in another workflow brings its definition, under a name that is free there", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  const text = textOf(pieceOf(store.workflow(), [id]));
  const other = createDocument(pipeline());
  packed(other, ["4"], "Another");
  const piece = pieceIn(JSON.parse(text) as Json);
  const { command, nodes } = pasting(
    other.workflow(),
    piece ?? pieceOf(pipeline(), []),
    [0, 0],
    "",
  );
  other.apply(command);
  const definition = definitionOf(other.workflow().nodes[nodes[0] ?? ""]) ?? "";
  expect(definition).toBe("s2");
  expect(other.workflow().subgraphs[definition]?.nodes.in?.class_type).toBe("inputs:s2");
  expect(other.workflow().subgraphs.s1?.name).toBe("Another");
});

test("what a node is called when it runs leads back to it", () => {
  const store = createDocument(pipeline());
  const inner = packed(store, ["3"]);
  const outer = packed(store, [inner, "4"]);
  const id = runId([outer, inner], "3");
  expect(id).toBe("7:6:3");
  expect(placeOf(store.workflow(), id)).toEqual({ path: ["7", "6"], id: "3" });
  expect(placeOf(store.workflow(), "9:9")).toEqual({ path: [], id: "9:9" });
});

test("problems inside a subgraph are found, and named by the way to them", () => {
  const store = createDocument(pipeline());
  const id = packed(store, ["3", "4"]);
  store.open([id]);
  store.apply(remove(["3"], fallback));
  const found = validate(store.workflow(), schemaOf(store.workflow()));
  expect(found.map(({ node }) => node)).toEqual([`${id}:4`]);
});

test("a reroute has the type of what it joins, and deleting it heals the wire", () => {
  const store = createDocument(pipeline());
  store.apply(addReroute("8", { target: "4", input: "samples" }, [0, 0]));
  store.apply(addReroute("9", { target: "4", input: "samples" }, [0, 0]));
  const schema = schemaOf(store.workflow());
  const out = { node: "9", side: "output", slot: 0, input: "" } as const;
  expect(typeAt(schema, store.sheet(), out)).toBe("LATENT");
  expect(pastReroutes(store.sheet(), ["9", 0])).toEqual(["3", 0]);
  expect(validate(store.workflow(), schema)).toEqual([]);
  store.apply(remove(["8", "9"], fallback));
  expect(store.workflow()).toEqual(pipeline());
});

test("a reroute without a source has the type of where it leads", () => {
  const store = createDocument({
    ...pipeline(),
    nodes: { "4": record("Decode", { samples: ["9", 0] }), "9": record("Reroute") },
  });
  const end = { node: "9", side: "input", slot: 0, input: "value" } as const;
  expect(typeAt(schemaOf(store.workflow()), store.sheet(), end)).toBe("LATENT");
});

test("a definition without an edge or places is mended, a malformed one refused", () => {
  const bare = { nodes: { "1": { class_type: "Noise" } } };
  const file = { safelight: 1, nodes: {}, subgraphs: { a: bare } };
  const { workflow, unplacedIn } = readText(JSON.stringify(file), "x");
  expect(unplacedIn).toEqual(["a"]);
  expect(Object.keys(workflow.subgraphs.a?.nodes ?? {}).sort()).toEqual(["1", "in", "out"]);
  const wrong = JSON.stringify({ ...file, subgraphs: { a: { nodes: [] } } });
  expect(() => readText(wrong, "x")).toThrow("The workflow is malformed at subgraphs › a › nodes");
});

test("what a change inside leaves as it was is the same class", () => {
  const own = createExtend();
  const store = createDocument(pipeline());
  const id = packed(store, ["3"]);
  const before = own(SCHEMA, store.workflow().subgraphs);
  store.open([id]);
  store.apply(move({ "3": [9, 9] }));
  expect(own(SCHEMA, store.workflow().subgraphs)).toBe(before);
});
