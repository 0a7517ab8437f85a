import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { isPng, readTexts } from "@/document/png";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, Buffer.from(type, "latin1"), data, Buffer.alloc(4)]);
}

function png(...chunks: Buffer[]): Uint8Array {
  const header = chunk("IHDR", Buffer.alloc(13));
  return new Uint8Array(
    Buffer.concat([SIGNATURE, header, ...chunks, chunk("IEND", Buffer.alloc(0))]),
  );
}

const plain = (key: string, text: string) => chunk("tEXt", Buffer.from(`${key}\0${text}`, "utf8"));

test("plain text chunks are found by their keyword", async () => {
  const texts = await readTexts(png(plain("prompt", "{}"), plain("workflow", '{"safelight":1}')));
  expect([...texts]).toEqual([
    ["prompt", "{}"],
    ["workflow", '{"safelight":1}'],
  ]);
});

test("letters outside Latin-1 survive in plain chunks", async () => {
  const texts = await readTexts(png(plain("workflow", "Katze mit Hut – 猫")));
  expect(texts.get("workflow")).toBe("Katze mit Hut – 猫");
});

test("compressed and international chunks are read", async () => {
  const zipped = Buffer.concat([Buffer.from("prompt\0\0", "latin1"), deflateSync("squeezed")]);
  const international = Buffer.from("workflow\0\0\0en\0Ablauf\0grün", "utf8");
  const both = Buffer.concat([Buffer.from("note\0\u0001\0\0\0", "latin1"), deflateSync("beides")]);
  const texts = await readTexts(
    png(chunk("zTXt", zipped), chunk("iTXt", international), chunk("iTXt", both)),
  );
  expect(Object.fromEntries(texts)).toEqual({
    prompt: "squeezed",
    workflow: "grün",
    note: "beides",
  });
});

test("the first of two chunks with one keyword counts", async () => {
  const texts = await readTexts(png(plain("workflow", "first"), plain("workflow", "second")));
  expect(texts.get("workflow")).toBe("first");
});

test("a file cut short gives what came before the cut", async () => {
  const whole = png(plain("prompt", "kept"), plain("workflow", "lost"));
  const texts = await readTexts(whole.subarray(0, whole.length - 20));
  expect([...texts.keys()]).toEqual(["prompt"]);
});

test("other files have no texts", async () => {
  const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xe0]);
  expect(isPng(jpeg)).toBe(false);
  expect((await readTexts(jpeg)).size).toBe(0);
});
