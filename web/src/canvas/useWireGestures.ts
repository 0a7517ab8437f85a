/** Drawing, moving and dropping wires. */

import {
  type FinalConnectionState,
  type IsValidConnection,
  type OnConnect,
  type OnConnectEnd,
  type OnConnectStart,
  type OnReconnect,
  useReactFlow,
} from "@xyflow/react";
import { type MouseEvent, useMemo, useRef } from "react";
import { useWorkbench } from "@/app/workbench";
import { cutId, endOf, wireOf } from "@/canvas/ends";
import { REROUTE_PX } from "@/canvas/geometry";
import type { Wire } from "@/canvas/project";
import { disconnect, freshId, together } from "@/document/commands";
import { addReroute } from "@/document/reroutes";
import type { Position } from "@/document/types";
import { whyNot } from "@/document/typing";
import { join } from "@/document/wiring";
import { t } from "@/strings/strings";

export interface WireGestures {
  onConnectStart: OnConnectStart;
  onConnect: OnConnect;
  onConnectEnd: OnConnectEnd;
  onReconnectStart: () => void;
  onReconnect: OnReconnect<Wire>;
  onReconnectEnd: (event: unknown, wire: Wire, end: unknown, state: FinalConnectionState) => void;
  isValidConnection: IsValidConnection<Wire>;
  onEdgeDoubleClick: (event: MouseEvent, wire: Wire) => void;
}

/**
 * The handlers: a wire dropped on a socket connects, on the sheet it opens the search; the end of an
 * old wire dropped on the sheet disconnects; a double click on a wire puts a reroute there.
 */
export function useWireGestures(): WireGestures {
  const { document, view, schema, fallback } = useWorkbench();
  const flow = useReactFlow();
  const reconnecting = useRef(false);
  return useMemo(
    () => ({
      onConnectStart: (_, { nodeId, handleId }) => {
        view.setState({ connecting: nodeId && handleId ? endOf(nodeId, handleId) : null });
      },
      onConnect: (connection) => {
        document.apply(join(schema.getState(), document.sheet(), wireOf(connection)));
      },
      onConnectEnd: (event, { toHandle, toNode }) => {
        const { connecting: from } = view.getState();
        const point = "changedTouches" in event ? event.changedTouches[0] : event;
        if (from && point && !toHandle && !toNode && !reconnecting.current) {
          const at: Position = [point.clientX, point.clientY];
          const { x, y } = flow.screenToFlowPosition({ x: at[0], y: at[1] });
          view.setState({ search: { at, place: [x, y], from } });
        }
        view.setState({ connecting: null });
      },
      onReconnectStart: () => {
        reconnecting.current = true;
      },
      onReconnect: (old, connection) => {
        const to = wireOf(connection);
        const from = cutId(old.id);
        const stays = from.target === to.target && from.input === to.input;
        const cut = stays ? [] : [disconnect([from], fallback)];
        const joined = join(schema.getState(), document.sheet(), to);
        document.apply(together(t.steps.reconnect, [...cut, joined]));
      },
      onReconnectEnd: (_, old, __, { isValid, toHandle }) => {
        reconnecting.current = false;
        if (!isValid && !toHandle) {
          document.apply(disconnect([cutId(old.id)], fallback));
        }
      },
      onEdgeDoubleClick: ({ clientX, clientY }, wire) => {
        const { x, y } = flow.screenToFlowPosition({ x: clientX, y: clientY });
        const id = freshId(document.sheet());
        const at = [Math.round(x - REROUTE_PX / 2), Math.round(y - REROUTE_PX / 2)] as const;
        document.apply(addReroute(id, cutId(wire.id), at), [id]);
        view.setState({ wires: [], frames: [] });
      },
      isValidConnection: ({ source, sourceHandle, target, targetHandle }) => {
        const [from, to] = [endOf(source, sourceHandle ?? ""), endOf(target, targetHandle ?? "")];
        return whyNot(schema.getState(), document.sheet(), from, to) === undefined;
      },
    }),
    [document, view, schema, fallback, flow],
  );
}
