import { expect, test } from "vitest";
import { readSchema } from "@/definitions/schema";
import { defaultOf, inputOf } from "@/document/schema";
import { SCHEMA } from "../fixture";

test("names without titles are written for people", () => {
  const schema = readSchema({
    digest: "",
    types: {},
    nodes: { LatentUpscale: { inputs: [{ name: "upscale_method", type: "COMBO" }], outputs: [] } },
  });
  expect(schema.nodes.LatentUpscale?.title).toBe("Latent Upscale");
  expect(schema.nodes.LatentUpscale?.inputs[0]?.title).toBe("Upscale method");
});

test("acronyms keep their capitals", () => {
  const outputs = [{ name: "VAE", title: "Vae", type: "VAE" }];
  const schema = readSchema({
    digest: "",
    types: { CLIP: {} },
    nodes: { A: { inputs: [], outputs } },
  });
  expect(schema.types.CLIP?.title).toBe("CLIP");
  expect(schema.nodes.A?.outputs[0]?.title).toBe("VAE");
});

test("bounds may be numbers, decimal strings or absent", () => {
  const seed = inputOf(SCHEMA.nodes.Sampler, "seed");
  expect(seed?.max).toBe(2 ** 64);
  const schema = readSchema({
    digest: "",
    types: {},
    nodes: {
      A: { inputs: [{ name: "x", type: "INT", max: "18446744073709551615" }], outputs: [] },
    },
  });
  expect(schema.nodes.A?.inputs[0]?.max).toBe(2 ** 64);
  expect(schema.nodes.A?.inputs[0]?.min).toBeNull();
});

test("a fresh input holds its default, the first choice or an empty value; a socket holds nothing", () => {
  const value = (node: string, name: string) => {
    const input = inputOf(SCHEMA.nodes[node], name);
    return input && defaultOf(input);
  };
  expect(value("Sampler", "steps")).toBe(20);
  expect(value("Load", "file")).toBe("a.safetensors");
  expect(value("Encode", "text")).toBe("");
  expect(value("Sampler", "model")).toBeUndefined();
});

test("acronyms keep their capitals in titles made from names", () => {
  const names = ["clip", "clip_l", "t5xxl", "vae", "eclipse"];
  const inputs = names.map((name) => ({ name, type: "STRING" }));
  const schema = readSchema({ digest: "", types: {}, nodes: { A: { inputs, outputs: [] } } });
  const titles = schema.nodes.A?.inputs.map(({ title }) => title);
  expect(titles).toEqual(["CLIP", "CLIP L", "T5XXL", "VAE", "Eclipse"]);
});

test("a schema of another shape is refused", () => {
  expect(() => readSchema({ nodes: [] })).toThrow();
});
