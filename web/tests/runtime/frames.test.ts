import { expect, test } from "vitest";
import { readPreview } from "@/runtime/frames";

function frame(event: number, meta: object, image: number[]): ArrayBuffer {
  const json = new TextEncoder().encode(JSON.stringify(meta));
  const bytes = new Uint8Array(8 + json.length + image.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, event);
  view.setUint32(4, json.length);
  bytes.set(json, 8);
  bytes.set(image, 8 + json.length);
  return bytes.buffer;
}

test("a preview is read with its node, its run and its picture", async () => {
  const meta = { node_id: "5", display_node_id: "5", prompt_id: "p", image_type: "image/jpeg" };
  const preview = readPreview(frame(4, meta, [255, 216, 255]));
  expect(preview).toMatchObject({ node: "5", job: "p" });
  expect(preview?.image.type).toBe("image/jpeg");
  expect(new Uint8Array((await preview?.image.arrayBuffer()) ?? [])).toEqual(
    new Uint8Array([255, 216, 255]),
  );
});

test("other events and frames cut short are left alone", () => {
  expect(readPreview(frame(1, {}, []))).toBeUndefined();
  expect(readPreview(new ArrayBuffer(4))).toBeUndefined();
  expect(readPreview(frame(4, { node_id: "5" }, []).slice(0, 12))).toBeUndefined();
});
