/** Workflows that links bring: into a fresh tab at once, anywhere else only into another tab. */

import { laidOut } from "@/app/files";
import type { Workbench } from "@/app/workbench";
import { readText } from "@/document/read";
import { randomId } from "@/runtime/ids";
import { bringsWorkflow, textIn } from "@/sharing/link";
import { t } from "@/strings/strings";

/** Begin with the workflow of the address; without it, where it cannot be read, and say why. */
export async function openBrought(workbench: Workbench, hash: string): Promise<void> {
  const { document, runs, schema } = workbench;
  try {
    const opened = readText(await textIn(hash), randomId());
    const workflow = laidOut(opened, schema.getState());
    const { history } = document.state.getState();
    document.restore({ workflow, history, saved: workflow });
    runs.state.setState({ notice: t.sharing.opened(workflow.name) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    runs.state.setState({ notice: why });
  }
  forget();
}

/** Offer what a link brings where something lies open already. */
export function followLinks({ view }: Workbench): void {
  const look = () => {
    if (bringsWorkflow(location.hash)) {
      view.setState({ talk: { about: "arrived", href: location.href } });
      forget();
    }
  };
  look();
  addEventListener("hashchange", look);
}

/** A reload shall bring back what was made of it, not the link. */
function forget(): void {
  history.replaceState(null, "", `${location.pathname}${location.search}`);
}
