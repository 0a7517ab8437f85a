/**
 * A workflow within a link: compressed, behind the `#`, so that no server ever sees it.
 *
 * The link is opened in a tab of its own and never takes the place of what lies open.
 */

import { Unreadable } from "@/document/read";
import type { Workflow } from "@/document/types";
import { t } from "@/strings/strings";

const PREFIX = "#w=";
/** More than that no workflow needs; a small link may unpack to anything. */
const LARGEST_BYTES = 20_000_000;
const PIECE = 0x8000;

/** Whether the address brings a workflow. */
export function bringsWorkflow(hash: string): boolean {
  return hash.startsWith(PREFIX);
}

/** The part of an address that brings this workflow. */
export async function fragmentOf(workflow: Workflow): Promise<string> {
  const text = new Blob([JSON.stringify(workflow)]);
  const packed = text.stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  let signs = "";
  for (let from = 0; from < bytes.length; from += PIECE) {
    signs += String.fromCharCode(...bytes.subarray(from, from + PIECE));
  }
  return PREFIX + btoa(signs).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The text of the workflow that an address brings; throws Unreadable where it is damaged. */
export async function textIn(hash: string): Promise<string> {
  try {
    const signs = atob(hash.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(signs, (sign) => sign.charCodeAt(0));
    const unpacked = new Blob([bytes])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"))
      .pipeThrough(limited(LARGEST_BYTES));
    return await new Response(unpacked).text();
  } catch (cause) {
    throw new Unreadable(t.sharing.damaged, { cause });
  }
}

/** A stream that breaks off beyond so many bytes. */
function limited(most: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return new TransformStream({
    transform(piece, control) {
      bytes += piece.length;
      if (bytes > most) {
        control.error(new RangeError("too large"));
      } else {
        control.enqueue(piece);
      }
    },
  });
}
