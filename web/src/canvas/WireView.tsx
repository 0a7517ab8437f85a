/** A wire, in the hue of what flows through it. */

import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { type CSSProperties, memo } from "react";
import { hueOf } from "@/canvas/hues";
import type { Wire } from "@/canvas/project";

export const WireView = memo(function WireView(props: EdgeProps<Wire>) {
  const [path] = getBezierPath({ ...props, curvature: 0.3 });
  const style = { "--hue": hueOf(props.data?.type ?? "*") } as CSSProperties;
  return (
    <g
      style={style}
      data-lit={props.data?.lit || undefined}
      data-selected={props.selected || undefined}
    >
      <BaseEdge path={path} interactionWidth={14} />
    </g>
  );
});
