import { expect, test } from "vitest";
import { partTo } from "@/document/partial";
import type { NodeSpec, Schema } from "@/document/schema";
import { validate } from "@/document/validate";
import { SCHEMA as FIRST, pipeline } from "../fixture";

const [show] = FIRST.nodes.Save?.inputs ?? [];
const preview = {
  ...FIRST.nodes.Save,
  name: "PreviewImage",
  inputs: show ? [show] : [],
} as NodeSpec;
const SCHEMA: Schema = { ...FIRST, nodes: { ...FIRST.nodes, PreviewImage: preview } };

test("a node that shows its result is run to as it is", () => {
  const workflow = pipeline();
  const shows = Object.keys(workflow.nodes).find(
    (id) => SCHEMA.nodes[workflow.nodes[id]?.class_type ?? ""]?.effect,
  );
  const part = partTo(workflow, SCHEMA, [shows ?? ""]);
  expect(part?.targets).toEqual([shows]);
  expect(part?.workflow.nodes).toEqual(workflow.nodes);
});

test("a node whose result nobody shows gets a viewer in what is posted, not in the document", () => {
  const workflow = pipeline();
  const decode = Object.keys(workflow.nodes).find((id) =>
    SCHEMA.nodes[workflow.nodes[id]?.class_type ?? ""]?.outputs.some(
      ({ type }) => type === "IMAGE",
    ),
  );
  const before = JSON.stringify(workflow);
  const part = partTo(workflow, SCHEMA, [decode ?? ""]);
  expect(JSON.stringify(workflow)).toBe(before);
  const [target = ""] = part?.targets ?? [];
  expect(part?.shown.get(target)).toBe(decode);
  expect(Object.values(part?.workflow.nodes[target]?.inputs ?? {})).toEqual([[decode, 0]]);
  expect(part && validate(part.workflow, SCHEMA, part.targets)).toEqual([]);
});

test("what cannot be shown cannot be run to", () => {
  const workflow = pipeline();
  expect(partTo(workflow, SCHEMA, ["1"])).toBeUndefined();
  expect(partTo(workflow, SCHEMA, ["gone"])).toBeUndefined();
});
