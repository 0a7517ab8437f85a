/**
 * Text that travels inside a PNG: the chunks tEXt, zTXt and iTXt.
 *
 * Source: PNG Specification (Third Edition), sections 5.3 (chunk layout) and 11.3.3 (textual data).
 */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const LENGTH_TYPE_CRC_BYTES = 12;

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/** Whether the bytes begin like a PNG. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/** Every text in the file by its keyword; a truncated file gives what came before the cut. */
export async function readTexts(bytes: Uint8Array): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { type, data } of chunks(bytes)) {
    const found = await readChunk(type, data);
    if (found && !texts.has(found[0])) {
      texts.set(...found);
    }
  }
  return texts;
}

function* chunks(bytes: Uint8Array): Generator<{ type: string; data: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE.length;
  while (isPng(bytes) && at + LENGTH_TYPE_CRC_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end > bytes.length) {
      return;
    }
    yield {
      type: latin1.decode(bytes.subarray(at + 4, at + 8)),
      data: bytes.subarray(at + 8, end),
    };
    at += length + LENGTH_TYPE_CRC_BYTES;
  }
}

async function readChunk(type: string, data: Uint8Array): Promise<[string, string] | undefined> {
  const keyEnd = data.indexOf(0);
  if (keyEnd < 0) {
    return undefined;
  }
  const key = latin1.decode(data.subarray(0, keyEnd));
  const rest = data.subarray(keyEnd + 1);
  switch (type) {
    case "tEXt":
      return [key, decodeText(rest)];
    case "zTXt": // one byte of method, then deflated Latin-1
      return [key, latin1.decode(await inflate(rest.subarray(1)))];
    case "iTXt":
      return [key, await readInternational(rest)];
    default:
      return undefined;
  }
}

/** tEXt should be Latin-1, but writers put plain UTF-8 there; valid UTF-8 is read as such. */
function decodeText(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    return latin1.decode(data);
  }
}

/** After the keyword: compression flag, method, language, translated keyword, text. */
async function readInternational(rest: Uint8Array): Promise<string> {
  const compressed = rest[0] === 1;
  const languageEnd = rest.indexOf(0, 2);
  const translatedEnd = rest.indexOf(0, languageEnd + 1);
  const text = rest.subarray(translatedEnd + 1);
  return utf8.decode(compressed ? await inflate(text) : text);
}

async function inflate(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
