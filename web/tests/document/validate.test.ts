import { expect, test } from "vitest";
import { remove } from "@/document/commands";
import { createDocument } from "@/document/store";
import { validate } from "@/document/validate";
import { pipeline, record, SCHEMA } from "../fixture";

const with_ = (nodes: Record<string, ReturnType<typeof record>>) => ({
  ...pipeline(),
  nodes: { ...pipeline().nodes, ...nodes },
});

test("a complete workflow has no problems", () => {
  expect(validate(pipeline(), SCHEMA)).toEqual([]);
});

test("every missing wire is reported at its node and input, optional ones are not", () => {
  const store = createDocument(pipeline());
  store.apply(remove(["1", "2"], () => undefined));
  expect(validate(store.workflow(), SCHEMA)).toEqual([
    { node: "3", input: "model", message: "Sample needs a Model." },
    { node: "3", input: "positive", message: "Sample needs a Conditioning at “Positive”." },
  ]);
});

test("nodes that no picture needs are left in peace", () => {
  expect(validate(with_({ "9": record("Sampler"), "10": record("Gone") }), SCHEMA)).toEqual([]);
});

test("a muted node is not asked for anything", () => {
  const muted = { ...record("Save"), _meta: { position: [0, 0], mode: "mute" } as const };
  expect(validate(with_({ "9": muted }), SCHEMA)).toEqual([]);
});

test("an unknown class that is needed is named", () => {
  const problems = validate(with_({ "4": record("Gone", { samples: ["3", 0] }) }), SCHEMA);
  expect(problems).toEqual([
    { node: "4", input: null, message: "No node class is called Gone here." },
  ]);
});

test("wires of the wrong type, from nowhere and from a missing output are told apart", () => {
  const problem = (link: readonly [string, number]) =>
    validate(with_({ "4": record("Decode", { samples: link }) }), SCHEMA).map(
      ({ message }) => message,
    );
  expect(problem(["1", 0])).toEqual(["Decode: wants Latent, and Load checkpoint gives Model."]);
  expect(problem(["77", 0])).toEqual([
    "Decode: the wire comes from node 77, which does not exist.",
  ]);
  expect(problem(["3", 5])).toEqual(["Decode: Sample has no output 5."]);
});

test("a workflow without a picture says what to add", () => {
  const { "5": _, ...nodes } = pipeline().nodes;
  expect(validate({ ...pipeline(), nodes }, SCHEMA)).toEqual([
    {
      node: null,
      input: null,
      message: "Nothing here shows or saves a picture. Add a Save Image or Preview Image node.",
    },
  ]);
});
