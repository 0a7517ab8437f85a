/** The websocket to the server: it comes back by itself, and says when it does. */

import { type PreviewFrame, readPreview } from "@/runtime/frames";

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5000;

export type Connection = "connecting" | "open" | "lost";

export interface SocketMessage {
  type: string;
  data: Record<string, unknown>;
}

export interface SocketListener {
  onState: (state: Connection) => void;
  onMessage: (message: SocketMessage) => void;
  onPreview: (frame: PreviewFrame) => void;
}

/** Open the socket and keep it open; the answer closes it for good. */
export function connect(clientId: string, listener: SocketListener): () => void {
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delay = FIRST_RETRY_MS;
  let closed = false;

  const open = () => {
    const url = new URL(`/ws?clientId=${encodeURIComponent(clientId)}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      delay = FIRST_RETRY_MS;
      socket?.send(
        JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } }),
      );
      listener.onState("open");
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => receive(data, listener);
    socket.onclose = () => {
      if (!closed) {
        listener.onState("lost");
        timer = setTimeout(open, delay);
        delay = Math.min(delay * 2, LONGEST_RETRY_MS);
      }
    };
  };

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    socket?.close();
  };
}

function receive(data: unknown, listener: SocketListener): void {
  if (data instanceof ArrayBuffer) {
    const frame = readPreview(data);
    if (frame) {
      listener.onPreview(frame);
    }
    return;
  }
  const message: unknown = JSON.parse(String(data));
  if (isMessage(message)) {
    listener.onMessage(message);
  }
}

function isMessage(value: unknown): value is SocketMessage {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    "data" in value &&
    typeof value.data === "object" &&
    value.data !== null
  );
}
