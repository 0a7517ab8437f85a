import "@xyflow/react/dist/base.css";
import "@/ui/tokens.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "@/app/App";
import { boot } from "@/app/boot";
import { ErrorBoundary } from "@/app/ErrorBoundary";
import { Fatal, Wait } from "@/app/Fatal";
import { startTheme } from "@/app/theme";
import { WorkbenchContext } from "@/app/workbench";

startTheme();

const root = createRoot(document.getElementById("root") ?? document.body);

const onWait = () =>
  root.render(<Wait text="The nodes are being read for the first time. This takes a moment." />);

boot(onWait).then(
  (workbench) =>
    root.render(
      <StrictMode>
        <ErrorBoundary>
          <WorkbenchContext value={workbench}>
            <App />
          </WorkbenchContext>
        </ErrorBoundary>
      </StrictMode>,
    ),
  (cause: unknown) =>
    root.render(
      <Fatal
        title="The server does not answer"
        text={`Safelight could not read what the server can do. ${cause instanceof Error ? cause.message : ""}`}
      />,
    ),
);
