/** The whole page. */

import { ReactFlowProvider } from "@xyflow/react";
import { type DragEvent, lazy, Suspense, useCallback, useEffect } from "react";
import { useStore } from "zustand";
import { useShortcuts } from "@/actions/keys";
import styles from "@/app/app.module.css";
import { takeCarried, takeFile } from "@/app/files";
import { SidePanel } from "@/app/SidePanel";
import { StatusLine } from "@/app/StatusLine";
import { TopBar } from "@/app/TopBar";
import { useClipboard } from "@/app/useClipboard";
import { useDocument, useView, useWorkbench } from "@/app/workbench";
import { Canvas } from "@/canvas/Canvas";
import { ConnectPanel } from "@/panels/ConnectPanel";
import { ContextMenu } from "@/panels/ContextMenu";
import { Help } from "@/panels/Help";
import { Lightbox } from "@/panels/Lightbox";
import { NodeSearch } from "@/panels/NodeSearch";
import { Palette } from "@/panels/Palette";
import { Settings } from "@/panels/Settings";
import { Shortcuts } from "@/panels/Shortcuts";
import { carried } from "@/runtime/carried";
import { languageStore } from "@/strings/strings";

const MaskEditor = lazy(() => import("@/mask/MaskEditor"));

const Talk = lazy(() => import("@/sharing/Talk"));
const FormPage = lazy(() => import("@/form/FormPage"));

export function App() {
  const workbench = useWorkbench();
  const masking = useView((state) => state.mask !== null);
  const page = useView((state) => state.page);
  const talk = useView((state) => state.talk);
  const name = useDocument((state) => state.workflow.name);
  const { language } = useStore(languageStore);
  useEffect(() => {
    document.title = name ? `${name} · Safelight` : "Safelight";
  }, [name]);
  useShortcuts();
  useClipboard();
  const onDrop = useCallback(
    (event: DragEvent) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      const picture = carried(event.dataTransfer);
      const place = workbench.camera.current?.toCanvas([event.clientX, event.clientY]) ?? null;
      if (picture) {
        void takeCarried(workbench, picture, place ?? [0, 0]);
      } else if (file) {
        void takeFile(workbench, file, place);
      }
    },
    [workbench],
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Open workflow does the same from the keyboard
    <div
      key={language}
      className={styles.shell}
      data-testid="app"
      onDragOver={(event) => event.preventDefault()}
      onDrop={onDrop}
    >
      <ReactFlowProvider>
        {page === "form" ? (
          <Suspense fallback={null}>
            <FormPage />
          </Suspense>
        ) : (
          <Sheet />
        )}
        <Palette />
        <Shortcuts />
        <Settings />
        {talk && (
          <Suspense fallback={null}>
            <Talk key={talk.about} subject={talk} />
          </Suspense>
        )}
        <Lightbox />
        {masking && (
          <Suspense fallback={null}>
            <MaskEditor />
          </Suspense>
        )}
      </ReactFlowProvider>
    </div>
  );
}

/** The canvas with all that stands around it. */
function Sheet() {
  return (
    <>
      <TopBar />
      <div className={styles.middle}>
        <Canvas />
        <SidePanel />
      </div>
      <StatusLine />
      <NodeSearch />
      <ContextMenu />
      <ConnectPanel />
      <Help />
    </>
  );
}
