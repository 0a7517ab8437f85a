/** The sheet of nodes and wires. It shows the document and asks commands to change it. */

import {
  Background,
  BackgroundVariant,
  ReactFlow,
  useStore as useFlowStore,
  useReactFlow,
} from "@xyflow/react";
import { type MouseEvent, useMemo } from "react";
import { useStore } from "zustand";
import { useShallow } from "zustand/react/shallow";
import { useDocument, useSchema, useSheet, useView, useWorkbench } from "@/app/workbench";
import { Crumbs } from "@/canvas/Crumbs";
import styles from "@/canvas/canvas.module.css";
import { FarWires } from "@/canvas/FarWires";
import { FrameView } from "@/canvas/FrameView";
import { Guides } from "@/canvas/Guides";
import { isFar } from "@/canvas/lod";
import { Minimap } from "@/canvas/Minimap";
import { NodeView } from "@/canvas/NodeView";
import { PendingWire } from "@/canvas/PendingWire";
import { createProjector, type SheetNode, type Wire } from "@/canvas/project";
import { createFrameProjector } from "@/canvas/projectFrames";
import { RerouteView } from "@/canvas/RerouteView";
import { FIT, useCamera } from "@/canvas/useCamera";
import { useContextMenu } from "@/canvas/useContextMenu";
import { useNodeGestures } from "@/canvas/useNodeGestures";
import { useSheetCamera } from "@/canvas/useSheetCamera";
import { useWireGestures } from "@/canvas/useWireGestures";
import { WireView } from "@/canvas/WireView";
import { t } from "@/strings/strings";

const NODE_TYPES = { node: NodeView, frame: FrameView, reroute: RerouteView };
const WIRE_TYPES = { wire: WireView };
const NO_WIRES: Wire[] = [];
const MULTI_SELECT = ["Shift", "Meta", "Control"];

export function Canvas() {
  const { view, previews } = useWorkbench();
  const flow = useReactFlow<SheetNode, Wire>();
  const schema = useSchema();
  const open = useSheet((sheet) => sheet);
  const path = useDocument((state) => state.path);
  const look = useView(
    useShallow(({ selection, wires, frames, drag, hovered }) => ({
      selection,
      wires,
      frames,
      drag,
      hovered,
    })),
  );
  const previewed = useStore(previews.nodes);
  const project = useMemo(createProjector, []);
  const far = useFlowStore(isFar);
  const { nodes, wires } = project(open, schema, look, previewed, far, path);
  const projectFrames = useMemo(createFrameProjector, []);
  const frames = projectFrames(open.frames, look.frames, look.drag);
  const sheet = useMemo<SheetNode[]>(() => [...frames, ...nodes], [frames, nodes]);
  const nodeGestures = useNodeGestures();
  const wireGestures = useWireGestures();
  useCamera();

  useSheetCamera();

  const onDoubleClick = (event: MouseEvent) => {
    if (event.target instanceof Element && event.target.classList.contains("react-flow__pane")) {
      const { clientX, clientY } = event;
      const { x, y } = flow.screenToFlowPosition({ x: clientX, y: clientY });
      view.setState({ search: { at: [clientX, clientY], place: [x, y], from: null } });
    }
  };
  const onContextMenu = useContextMenu();
  const spoken = useMemo(readAloud, []);
  const anyLit = look.hovered !== null || look.selection.length > 0;

  return (
    <main
      className={styles.canvas}
      data-any-lit={anyLit || undefined}
      onDoubleClick={onDoubleClick}
      onContextMenu={onContextMenu}
    >
      <ReactFlow<SheetNode, Wire>
        nodes={sheet}
        edges={far ? NO_WIRES : wires}
        nodeTypes={NODE_TYPES}
        edgeTypes={WIRE_TYPES}
        connectionLineComponent={PendingWire}
        {...nodeGestures}
        {...wireGestures}
        onlyRenderVisibleElements
        fitView
        fitViewOptions={FIT}
        minZoom={0.1}
        maxZoom={2.5}
        connectionRadius={24}
        reconnectRadius={12}
        connectOnClick={false}
        deleteKeyCode={null}
        panActivationKeyCode={null}
        selectionKeyCode="Shift"
        multiSelectionKeyCode={MULTI_SELECT}
        zoomOnDoubleClick={false}
        elevateNodesOnSelect={false}
        elevateEdgesOnSelect={false}
        ariaLabelConfig={spoken}
        proOptions={{ hideAttribution: true }}
      >
        {far ? (
          <FarWires nodes={nodes} wires={wires} />
        ) : (
          <Background variant={BackgroundVariant.Dots} gap={24} size={1} color="var(--dots)" />
        )}
        <Guides />
      </ReactFlow>
      <Crumbs />
      <Minimap nodes={sheet} dragging={look.drag !== null} />
    </main>
  );
}

/** What the library reads aloud, in the language of the page. */
function readAloud() {
  return {
    "node.a11yDescription.default": t.sheet.nodeKeys,
    "node.a11yDescription.keyboardDisabled": t.sheet.nodeKeys,
    "node.a11yDescription.ariaLiveMessage": ({ x, y }: { x: number; y: number }) =>
      t.sheet.moved(Math.round(x), Math.round(y)),
    "edge.a11yDescription.default": t.sheet.wireKeys,
  };
}
