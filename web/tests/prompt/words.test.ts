import { expect, test } from "vitest";
import { readSchema } from "@/definitions/schema";
import { checkpointOf, triggersIn, vocabularyIn, writtenFor } from "@/prompt/words";
import { pipeline, SCHEMA } from "../fixture";

const words = (model: object) => ({ "safelight.tokenizer": JSON.stringify({ model }) });

test("the vocabulary of whole words is listed, without its special signs", () => {
  const vocab = { "<unk>": 0, cat: 1, a: 2 };
  expect(vocabularyIn(words({ type: "WordLevel", vocab }))).toEqual(new Set(["cat", "a"]));
  expect(vocabularyIn(words({ type: "BPE", vocab }))).toBeUndefined();
  expect(vocabularyIn({ "safelight.tokenizer": "{" })).toBeUndefined();
  expect(vocabularyIn(null)).toBeUndefined();
});

test("a LoRA tells what it listens to, or is called by its name", async () => {
  expect(triggersIn({ "modelspec.trigger_phrase": "sks cat" })).toBe("sks cat");
  const counted = JSON.stringify({ "10_x": { "blue ink": 9, paper: 3, line: 5, dot: 1 } });
  expect(triggersIn({ ss_tag_frequency: counted })).toBe("blue ink, line, paper");
  expect(triggersIn({ ss_tag_frequency: "{" })).toBeUndefined();
  const none = { metadata: () => Promise.reject(new Error("gone")) };
  expect(await writtenFor(none, "styles/blue_ink.safetensors")).toBe("blue ink");
});

test("the checkpoint of a prompt is the one before it", () => {
  const loader = SCHEMA.nodes.Load;
  const schema = readSchema({
    digest: "x",
    types: {},
    nodes: {
      ...SCHEMA.nodes,
      Load: { ...loader, inputs: [{ ...loader?.inputs[0], folder: "checkpoints" }] },
    },
  });
  expect(checkpointOf(pipeline(), schema, "2")).toBe("a.safetensors");
  expect(checkpointOf(pipeline(), SCHEMA, "2")).toBeUndefined();
});
