import { expect, test } from "vitest";
import type { Json } from "@/document/types";
import { bringsWorkflow, fragmentOf, textIn } from "@/sharing/link";
import { isComfy, missingIn } from "@/sharing/report";
import { pipeline, record, SCHEMA } from "../fixture";

test("a workflow goes through a link unchanged, whatever it says", async () => {
  const workflow = { ...pipeline(), name: "Käse & «猫» 🐈" };
  const fragment = await fragmentOf(workflow);
  expect(fragment).toMatch(/^#w=[\w-]+$/);
  expect(bringsWorkflow(fragment)).toBe(true);
  expect(JSON.parse(await textIn(fragment))).toEqual(workflow);
});

test.each(["#w=", "#w=!!!", "#w=AAAA", "#w=eJw"])(
  "a damaged link says so: %s",
  async (fragment) => {
    await expect(textIn(fragment)).rejects.toThrow("The link is damaged");
  },
);

test("a small link that unpacks to far too much is refused", async () => {
  const bomb = new Blob(["0".repeat(30_000_000)])
    .stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(bomb).arrayBuffer());
  const fragment = `#w=${Buffer.from(bytes).toString("base64url")}`;
  expect(fragment.length).toBeLessThan(100_000);
  await expect(textIn(fragment)).rejects.toThrow("The link is damaged");
});

test("what ComfyUI's canvas saves is recognised", () => {
  expect(isComfy({ nodes: [], links: [] })).toBe(true);
  expect(isComfy(pipeline() as unknown as Json)).toBe(false);
  expect(isComfy(null)).toBe(false);
});

test("missing nodes and files are told once each, with the hash that the file had", () => {
  const workflow = pipeline();
  const loader = SCHEMA.nodes.Load;
  const [input] = loader?.inputs ?? [];
  const schema = {
    ...SCHEMA,
    nodes: {
      ...SCHEMA.nodes,
      ...(loader && input
        ? { Load: { ...loader, inputs: [{ ...input, folder: "checkpoints" }] } }
        : {}),
    },
  };
  const nodes = {
    ...workflow.nodes,
    "8": record("Load", { file: "gone.safetensors" }),
    "9": record("Load", { file: "gone.safetensors" }),
    "10": record("Magic"),
    "11": record("Magic"),
  };
  const models = [{ name: "gone.safetensors", hash: "abc" }];
  const from = { nodes: [{ properties: { models } }, { type: "Note" }], links: [] };
  expect(missingIn({ ...workflow, nodes }, schema, from)).toEqual({
    classes: ["Magic"],
    files: [{ name: "gone.safetensors", folder: "checkpoints", hash: "abc" }],
  });
});
