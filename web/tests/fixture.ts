/** A small schema and a small workflow, as the server and a file would give them. */

import { readSchema } from "@/definitions/schema";
import type { Schema } from "@/document/schema";
import type { NodeRecord, Value, Workflow } from "@/document/types";
import { emptyWorkflow } from "@/document/types";

const socket = (name: string, type: string, required = true) => ({
  name,
  title: "",
  type,
  required,
  socket: true,
});
const output = (type: string) => ({ name: type, title: "", type });

export const SCHEMA: Schema = readSchema({
  digest: "test",
  types: {
    MODEL: { bases: [], title: "Model", help: "" },
    CLIP: { bases: [], title: "Text encoder", help: "" },
    LATENT: { bases: [], title: "Latent", help: "" },
    NOISY_LATENT: { bases: ["LATENT"], title: "Noisy latent", help: "" },
    CONDITIONING: { bases: [], title: "Conditioning", help: "" },
    IMAGE: { bases: [], title: "Image", help: "" },
  },
  nodes: {
    Load: {
      title: "Load checkpoint",
      category: "loaders",
      inputs: [{ name: "file", type: "COMBO", choices: ["a.safetensors", "b.safetensors"] }],
      outputs: [output("MODEL"), output("CLIP")],
    },
    Encode: {
      title: "Encode prompt",
      category: "conditioning",
      inputs: [
        { name: "text", type: "STRING", multiline: true, default: "" },
        socket("clip", "CLIP"),
      ],
      outputs: [output("CONDITIONING")],
    },
    Sampler: {
      title: "Sample",
      category: "sampling",
      inputs: [
        socket("model", "MODEL"),
        { name: "seed", type: "INT", min: 0, max: 2 ** 64, seed: true, default: 0 },
        { name: "steps", type: "INT", min: 1, max: 100, default: 20 },
        socket("positive", "CONDITIONING"),
        socket("latent", "LATENT", false),
      ],
      outputs: [output("LATENT")],
    },
    Noise: {
      title: "Add noise",
      category: "latent",
      inputs: [],
      outputs: [output("NOISY_LATENT")],
    },
    Text: {
      title: "Text",
      category: "values",
      inputs: [{ name: "value", type: "STRING", default: "" }],
      outputs: [output("STRING")],
    },
    Decode: {
      title: "Decode",
      category: "latent",
      inputs: [socket("samples", "LATENT")],
      outputs: [output("IMAGE")],
    },
    Save: {
      title: "Save image",
      category: "image",
      effect: true,
      inputs: [socket("images", "IMAGE"), { name: "prefix", type: "STRING", default: "safelight" }],
      outputs: [],
    },
  },
});

export function record(
  classType: string,
  inputs: Record<string, Value> = {},
  position: readonly [number, number] = [0, 0],
): NodeRecord {
  return { class_type: classType, version: 1, inputs, _meta: { position } };
}

/** Load, Encode, Sampler, Decode, Save in one line. */
export function pipeline(): Workflow {
  return {
    ...emptyWorkflow("w", "Pipeline"),
    nodes: {
      "1": record("Load", { file: "a.safetensors" }),
      "2": record("Encode", { text: "a cat", clip: ["1", 1] }, [300, 0]),
      "3": record("Sampler", { model: ["1", 0], seed: 7, steps: 20, positive: ["2", 0] }, [600, 0]),
      "4": record("Decode", { samples: ["3", 0] }, [900, 0]),
      "5": record("Save", { images: ["4", 0], prefix: "safelight" }, [1200, 0]),
    },
    parameters: { prompt: { node: "2", input: "text" }, seed: { node: "3", input: "seed" } },
    results: { picture: { node: "5", output: 0 } },
  };
}
