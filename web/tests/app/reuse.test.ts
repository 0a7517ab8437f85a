// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { takeSettings } from "@/app/reuse";
import { createWorkbench } from "@/app/workbench";
import type { Json, Workflow } from "@/document/types";
import { httpApi } from "@/runtime/api";
import { pipeline, record, SCHEMA } from "../fixture";

function bench(settings: () => Promise<Json | undefined>) {
  return createWorkbench({ ...httpApi, settings }, SCHEMA, pipeline(), "client");
}

/** The pipeline as it was posted with another prompt and a drawn seed. */
function earlier(): Json {
  const workflow = structuredClone(pipeline());
  const sampler = workflow.nodes["3"];
  if (sampler) {
    sampler.inputs.seed = 99;
    sampler._meta.seed_control = "randomize";
  }
  return workflow as unknown as Json;
}

test("the settings of a result come back with its seed kept, and undo goes back", async () => {
  const workbench = bench(async () => earlier());
  await takeSettings(workbench, "job");
  const sampler = workbench.document.workflow().nodes["3"];
  expect(sampler?.inputs.seed).toBe(99);
  expect(sampler?._meta.seed_control).toBe("fixed");
  expect(workbench.document.undo()?.label).toBe("Use these settings");
  expect(workbench.document.workflow()).toEqual(pipeline());
});

test("seeds within subgraphs are kept, too", async () => {
  const file = earlier() as unknown as Workflow;
  const inner = { name: "In", inputs: [], outputs: [], frames: [], nodes: file.nodes };
  const nodes = { "1": record("subgraph:s1") };
  const packed = { ...file, nodes, subgraphs: { s1: inner }, parameters: {} };
  const workbench = bench(async () => packed as unknown as Json);
  await takeSettings(workbench, "job");
  const sampler = workbench.document.workflow().subgraphs.s1?.nodes["3"];
  expect(sampler?._meta.seed_control).toBe("fixed");
});

test("a bare prompt is laid out and keeps the name of the sheet", async () => {
  const prompt = { "1": { class_type: "Load", inputs: { file: "a.safetensors" } } };
  const workbench = bench(async () => prompt);
  await takeSettings(workbench, "job");
  expect(workbench.document.workflow()).toMatchObject({ name: "Pipeline" });
  expect(Object.keys(workbench.document.workflow().nodes)).toEqual(["1"]);
});

test("a result that the server forgot changes nothing and is told", async () => {
  const workbench = bench(async () => undefined);
  await takeSettings(workbench, "gone");
  expect(workbench.document.workflow()).toEqual(pipeline());
  expect(workbench.runs.state.getState().notice).toMatch(/no longer knows/);
});
