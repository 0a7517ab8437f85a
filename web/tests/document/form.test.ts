import { expect, test } from "vitest";
import {
  fieldAt,
  hideField,
  hideResult,
  labelField,
  labelOfField,
  moveField,
  publicName,
  resultAt,
  showField,
  showResult,
} from "@/document/form";
import { readText } from "@/document/read";
import { createDocument } from "@/document/store";
import { pipeline } from "../fixture";

test("a field is shown, labelled, moved and hidden, each as a step that can be undone", () => {
  const document = createDocument(pipeline());
  document.apply(showField("steps", { node: "3", input: "steps" }));
  document.apply(labelField("steps", "How long"));
  document.apply(moveField("steps", -1));
  expect(Object.keys(document.workflow().parameters)).toEqual(["prompt", "steps", "seed"]);
  expect(document.workflow().parameters.steps?.label).toBe("How long");
  expect(fieldAt(document.workflow(), "3", "steps")).toBe("steps");
  document.apply(hideField("steps"));
  expect(fieldAt(document.workflow(), "3", "steps")).toBeUndefined();
  for (let steps = 0; steps < 4; steps += 1) {
    document.undo();
  }
  expect(document.workflow()).toEqual(pipeline());
});

test("a field at the end of the form goes no further", () => {
  const document = createDocument(pipeline());
  expect(document.apply(moveField("prompt", -1))).toBe(false);
  expect(document.apply(moveField("seed", 1))).toBe(false);
});

test("a result is chosen and let go", () => {
  const document = createDocument(pipeline());
  document.apply(hideResult("picture"));
  expect(resultAt(document.workflow(), "5")).toBeUndefined();
  document.apply(showResult("picture", { node: "5", output: 0 }));
  expect(document.workflow()).toEqual(pipeline());
});

test("labels survive saving and opening", () => {
  const document = createDocument(pipeline());
  document.apply(labelField("prompt", "What to draw"));
  const text = JSON.stringify(document.workflow());
  expect(readText(text, "other").workflow.parameters).toEqual(document.workflow().parameters);
});

test("public names are plain, free, and never numbers", () => {
  expect(publicName({}, "Sampler name")).toBe("sampler_name");
  expect(publicName({ steps: 1, steps_2: 1 }, "Steps")).toBe("steps_3");
  expect(publicName({}, "2nd prompt")).toBe("field_2nd_prompt");
  expect(publicName({}, "…")).toBe("field");
});

test("a field without a label is called by its name in plain words", () => {
  expect(labelOfField("negative_prompt", {})).toBe("Negative prompt");
  expect(labelOfField("a", { label: "how long" })).toBe("How long");
});
