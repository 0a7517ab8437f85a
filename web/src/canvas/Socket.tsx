/** One socket: a coloured mark on the edge of a node where wires begin and end. */

import { Handle, Position } from "@xyflow/react";
import { type CSSProperties, useMemo } from "react";
import { useSchema, useSheet, useView } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import type { SocketPlace } from "@/canvas/geometry";
import { hueOf } from "@/canvas/hues";
import { typeTitle } from "@/document/schema";
import type { NodeId } from "@/document/types";
import { type SocketEnd, whyNot } from "@/document/typing";

const PLAIN_VALUES = new Set(["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"]);

interface SocketProps {
  node: NodeId;
  place: SocketPlace;
  wired: boolean;
  problem: string | undefined;
}

export function Socket({ node, place, wired, problem }: SocketProps) {
  const schema = useSchema();
  const { side, slot, input, type, quiet, required } = place;
  const end = useMemo((): SocketEnd => ({ node, side, slot, input }), [node, side, slot, input]);
  const verdict = useVerdict(end);
  const style = { top: place.y, "--hue": hueOf(type) } as CSSProperties;
  return (
    <Handle
      id={place.id}
      type={side === "input" ? "target" : "source"}
      position={side === "input" ? Position.Left : Position.Right}
      className={styles.socket}
      style={style}
      title={`${place.title}: ${typeTitle(schema, type)}`}
      data-shape={PLAIN_VALUES.has(type) ? "diamond" : "dot"}
      data-ring={(side === "input" && !required && !quiet) || undefined}
      // A wire that ends here is taken hold of itself, just outside the node.
      data-taken={(side === "input" && wired) || undefined}
      data-quiet={(quiet && !wired) || undefined}
      data-verdict={verdict}
      data-problem={problem ? true : undefined}
    />
  );
}

/** While a wire is being drawn: whether it could end here. */
function useVerdict(end: SocketEnd): "yes" | "no" | undefined {
  const schema = useSchema();
  const connecting = useView((state) => state.connecting);
  const sheet = useSheet((open) => (connecting ? open : null));
  return useMemo(() => {
    if (!connecting || !sheet) {
      return undefined;
    }
    if (connecting.node === end.node && connecting.side === end.side) {
      return undefined;
    }
    return whyNot(schema, sheet, connecting, end) === undefined ? "yes" : "no";
  }, [connecting, sheet, schema, end]);
}
