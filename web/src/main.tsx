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
import { startLanguage, t } from "@/strings/strings";

startTheme();

const root = createRoot(document.getElementById("root") ?? document.body);

const onWait = () => root.render(<Wait text={t.shell.waiting} />);

startLanguage()
  .then(() => boot(onWait))
  .then(
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
          title={t.shell.silent}
          text={t.shell.unread(cause instanceof Error ? cause.message : "")}
        />,
      ),
  );
