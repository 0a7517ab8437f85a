/** Binary websocket frames: big-endian words, then the picture. */

export interface PreviewFrame {
  node: string;
  job: string;
  image: Blob;
}

const PREVIEW_WITH_METADATA = 4;
const HEADER_BYTES = 8;

/** Read a preview (event 4: length, JSON, image bytes); undefined for any other frame. */
export function readPreview(buffer: ArrayBuffer): PreviewFrame | undefined {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint32(0) !== PREVIEW_WITH_METADATA) {
    return undefined;
  }
  const start = HEADER_BYTES + view.getUint32(4);
  if (start > buffer.byteLength) {
    return undefined;
  }
  const text = new TextDecoder().decode(buffer.slice(HEADER_BYTES, start));
  const meta = JSON.parse(text) as {
    node_id?: unknown;
    display_node_id?: unknown;
    prompt_id?: unknown;
    image_type?: unknown;
  };
  return {
    node: String(meta.display_node_id ?? meta.node_id ?? ""),
    job: String(meta.prompt_id ?? ""),
    image: new Blob([buffer.slice(start)], { type: String(meta.image_type ?? "image/jpeg") }),
  };
}
