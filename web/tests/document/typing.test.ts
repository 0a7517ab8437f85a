import { expect, test } from "vitest";
import { canBeFed, fits, type SocketEnd, whyNot } from "@/document/typing";
import { pipeline, record, SCHEMA } from "../fixture";

const out = (node: string, slot = 0): SocketEnd => ({ node, side: "output", slot, input: "" });
const into = (node: string, input: string): SocketEnd => ({ node, side: "input", slot: 0, input });
const workflow = {
  ...pipeline(),
  nodes: { ...pipeline().nodes, "6": record("Noise"), "7": record("Gone"), "8": record("Text") },
};
const reason = (one: SocketEnd, other: SocketEnd) => whyNot(SCHEMA, workflow, one, other);

test("equal types fit, whichever end the wire is drawn from", () => {
  expect(reason(out("1", 1), into("2", "clip"))).toBeUndefined();
  expect(reason(into("2", "clip"), out("1", 1))).toBeUndefined();
});

test("a narrower type fits where its base is wanted, and not the other way round", () => {
  expect(reason(out("6"), into("4", "samples"))).toBeUndefined();
  expect(fits(SCHEMA, "LATENT", "NOISY_LATENT")).toBe(false);
});

test("a field can be fed if some node gives its type", () => {
  expect(canBeFed(SCHEMA, "STRING")).toBe(true);
  expect(canBeFed(SCHEMA, "INT")).toBe(false);
});

test("a text field takes a wire with text", () => {
  expect(reason(out("8"), into("2", "text"))).toBeUndefined();
});

test("other types are refused with both names", () => {
  expect(reason(out("1", 0), into("2", "clip"))).toBe("Wants Text encoder, not Model.");
  expect(reason(out("8"), into("3", "steps"))).toBe("Wants Whole number, not Text.");
});

test("two ends of the same kind are refused", () => {
  expect(reason(out("1"), out("2"))).toBe("Both ends give a value.");
  expect(reason(into("2", "clip"), into("3", "model"))).toBe("Both ends take a value.");
});

test("a node cannot feed itself", () => {
  expect(reason(out("3"), into("3", "latent"))).toBe("A node cannot feed itself.");
});

test("a wire that would close a loop is refused with the way round", () => {
  const looping = {
    ...workflow,
    nodes: { ...workflow.nodes, "9": record("Sampler", { latent: ["3", 0] }) },
  };
  expect(whyNot(SCHEMA, looping, out("9"), into("3", "latent"))).toBe(
    "This would make a loop: Sample already depends on Sample.",
  );
});

test("a node of an unknown class is refused", () => {
  expect(reason(out("7"), into("2", "clip"))).toBe("This node's class is not known here.");
});
