// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { pageOf } from "@/app/address";
import { createWorkbench, WorkbenchContext } from "@/app/workbench";
import { showField } from "@/document/form";
import type { InputSpec } from "@/document/schema";
import { madeWith } from "@/form/Earlier";
import { Field } from "@/form/Field";
import { resultsOf } from "@/form/Results";
import { reachOf } from "@/form/reach";
import { httpApi } from "@/runtime/api";
import { pipeline, SCHEMA } from "../fixture";

afterEach(cleanup);

const input = (change: Partial<InputSpec>): InputSpec => ({
  ...(SCHEMA.nodes.Sampler?.inputs[2] as InputSpec),
  ...change,
});

test.each([
  ["few values: all of them", { min: 1, max: 100, default: 20 }, { min: 1, max: 100, step: 1 }],
  [
    "a share",
    { type: "FLOAT", min: 0, max: 1, step: 0.01, default: 1 },
    { min: 0, max: 1, step: 0.01 },
  ],
  [
    "many values: the usual ones",
    { min: 1, max: 10000, default: 20 },
    { min: 1, max: 77, step: 1 },
  ],
  [
    "a size in steps",
    { min: 16, max: 16384, step: 8, default: 512 },
    { min: 16, max: 2000, step: 8 },
  ],
  ["no bounds: none", { min: null, max: null, default: 3 }, undefined],
])("a slider for %s", (_, change, reach) => {
  expect(reachOf(input(change as Partial<InputSpec>))).toEqual(reach);
});

test("a slider and a number change the document, and one drag is one step back", () => {
  const workbench = createWorkbench(httpApi, SCHEMA, pipeline(), "client");
  workbench.document.apply(showField("steps", { node: "3", input: "steps" }));
  render(
    <WorkbenchContext value={workbench}>
      <Field name="steps" place={{ node: "3", input: "steps", label: "Patience" }} />
    </WorkbenchContext>,
  );
  const slider = screen.getByRole("slider", { name: "Slide Patience" });
  fireEvent.pointerDown(slider);
  fireEvent.change(slider, { target: { value: "30" } });
  fireEvent.change(slider, { target: { value: "42" } });
  fireEvent.pointerUp(slider);
  const steps = screen.getByRole<HTMLInputElement>("spinbutton", { name: "Patience" });
  expect(steps.value).toBe("42");
  expect(workbench.document.undo()?.label).toBe("Change value");
  expect(workbench.document.workflow().nodes["3"]?.inputs.steps).toBe(20);
});

test("a field whose node is gone says so", () => {
  const workbench = createWorkbench(httpApi, SCHEMA, pipeline(), "client");
  render(
    <WorkbenchContext value={workbench}>
      <Field name="lost" place={{ node: "99", input: "steps" }} />
    </WorkbenchContext>,
  );
  screen.getByText("The canvas no longer has this field.");
});

test("results are those that were chosen, or else all that is shown", () => {
  expect(resultsOf(pipeline(), SCHEMA)).toEqual([["picture", "5"]]);
  expect(resultsOf({ ...pipeline(), results: {} }, SCHEMA)).toEqual([["Save", "5"]]);
});

test("only kept pictures of this document count as made with the form", () => {
  const image = { filename: "a.png", subfolder: "", type: "output", node: "5" };
  const record = { id: "j", prompt: "", seed: "3", words: "", at: null, trouble: null };
  const made = madeWith(
    [
      { ...record, workflow: "w", images: [image, { ...image, type: "temp" }] },
      { ...record, workflow: "other", images: [image] },
    ],
    "w",
  );
  expect(made.map(({ picture }) => picture.filename)).toEqual(["a.png"]);
});

test("the address says which page is meant", () => {
  expect(pageOf("#form")).toBe("form");
  expect(pageOf("")).toBe("canvas");
});
