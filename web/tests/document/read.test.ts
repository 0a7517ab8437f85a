import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson, readDecimal, readInteger } from "@/document/numbers";
import { readText, readWorkflow, Unreadable } from "@/document/read";
import type { Json } from "@/document/types";
import textToImage from "../../../workflows/text-to-image.json";
import { pipeline } from "../fixture";

const refusal = (text: string): string => {
  try {
    readText(text, "id");
  } catch (cause) {
    if (cause instanceof Unreadable) {
      return cause.message;
    }
    throw cause;
  }
  return "";
};

test("a saved document opens as it was", () => {
  const { workflow, unplaced } = readText(JSON.stringify(pipeline()), "other");
  expect(JSON.parse(JSON.stringify(workflow))).toEqual(pipeline());
  expect(unplaced).toEqual([]);
});

test("the shipped first workflow opens", () => {
  const { workflow, unplaced } = readWorkflow(textToImage as Json, "id");
  expect(workflow.parameters.prompt).toBeDefined();
  expect(unplaced).toEqual([]);
});

test("what a newer program wrote beside is kept", () => {
  const text = JSON.stringify({ ...pipeline(), later: [1, 2] });
  expect(readText(text, "id").workflow).toMatchObject({ later: [1, 2] });
});

test("a bare API prompt opens, and all of it waits for a place", () => {
  const { workflow, unplaced } = readText(
    '{"3":{"class_type":"Load","inputs":{"file":"x"}}}',
    "fresh",
  );
  expect(workflow.id).toBe("fresh");
  expect(workflow.nodes["3"]?.inputs).toEqual({ file: "x" });
  expect(unplaced).toEqual(["3"]);
});

test("what cannot be a workflow is refused in plain words", () => {
  expect(refusal("{")).toBe("This is not JSON, so it cannot hold a workflow.");
  expect(refusal("[1]")).toBe("A workflow is a JSON object, and this is not one.");
  expect(refusal('{"a":1}')).toBe("This JSON is neither a Safelight workflow nor an API prompt.");
  expect(refusal('{"safelight":2,"nodes":{}}')).toBe(
    "This workflow has version 2; this canvas reads version 1.",
  );
  expect(refusal('{"nodes":[],"links":[],"version":0.4}')).toBe(
    "This is ComfyUI's editor format. Export it there in API format, then open that file here.",
  );
  expect(refusal('{"safelight":1,"nodes":{"1":{"class_type":5}}}')).toMatch(
    /^The workflow is malformed at nodes › 1 › class_type: /,
  );
});

test("integers beyond 2^53 survive reading as decimal strings", () => {
  expect(parseJson('{"seed":18446744073709551615,"steps":20}')).toEqual({
    seed: "18446744073709551615",
    steps: 20,
  });
});

test("JSON of ordinary values reads as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      const exact = !/\d{16}/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, ""));
      fc.pre(exact);
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

test("digits inside strings and after a point are not integers", () => {
  expect(parseJson('["12345678901234567890", 0.12345678901234567890]')).toEqual([
    "12345678901234567890",
    Number("0.12345678901234567890"),
  ]);
});

test("people may type a decimal comma, and whole numbers of any size", () => {
  expect(readDecimal("7,5")).toBe(7.5);
  expect(readDecimal("seven")).toBeUndefined();
  expect(readInteger(" 42 ")).toBe(42);
  expect(readInteger("18446744073709551615")).toBe("18446744073709551615");
  expect(readInteger("4.2")).toBeUndefined();
});
