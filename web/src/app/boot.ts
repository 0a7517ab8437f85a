/** Starting the page: what the server can do, the work that was left, the line to the server. */

import { followAddress } from "@/app/address";
import { keepDraft } from "@/app/drafts";
import { followLinks, openBrought } from "@/app/links";
import { createWorkbench, type Workbench } from "@/app/workbench";
import { readWorkflow } from "@/document/read";
import type { Schema } from "@/document/schema";
import type { Json, Workflow } from "@/document/types";
import { type Api, httpApi, Starting } from "@/runtime/api";
import { createDrafts, type Draft, type DraftStore, takeAside } from "@/runtime/draft";
import { randomId, tabId } from "@/runtime/ids";
import { connect } from "@/runtime/socket";
import { bringsWorkflow } from "@/sharing/link";
import textToImage from "../../../workflows/text-to-image.json";

const RETRY_MS = 1500;
/** A prompt that is not on the screen by then does not get the cursor. */
const FOCUS_WAITS_MS = 2000;

/**
 * Load the schema and the draft of this tab, or else the first workflow, and connect.
 *
 * A server that has just been started may not know its nodes yet: `onWait` is told so, and it is
 * asked again.
 */
export async function boot(onWait: (message: string) => void): Promise<Workbench> {
  const tab = tabId();
  const api = httpApi;
  const [schema, drafts] = await Promise.all([patiently(api, onWait), openDrafts()]);
  const aside = takeAside();
  const kept = newer(aside, await drafts?.load(tab));
  if (aside && kept === aside) {
    await drafts?.save(aside);
  }
  const brought = bringsWorkflow(location.hash) && kept?.tab !== tab;
  const draft = brought ? undefined : kept;
  const workbench = createWorkbench(api, schema, draft?.workflow ?? firstWorkflow(), tab);
  if (draft) {
    const { workflow, history } = draft;
    const unchanged = JSON.stringify(workflow) === JSON.stringify(draft.saved);
    workbench.document.restore({ workflow, history, saved: unchanged ? workflow : draft.saved });
    workbench.runs.reset(draft.lastJob);
  }
  if (drafts) {
    keepDraft(workbench, drafts, tab);
  }
  if (brought) {
    await openBrought(workbench, location.hash);
  }
  followLinks(workbench);
  followAddress(workbench.view);
  if (workbench.view.getState().page === "canvas") {
    focusPrompt(workbench);
  }
  follow(workbench, api, tab);
  return workbench;
}

/** What was laid aside when the page was left, unless the database was in time after all. */
function newer(aside: Draft | undefined, kept: Draft | undefined): Draft | undefined {
  const late = aside && (kept?.tab !== aside.tab || kept.at <= aside.at);
  return late ? aside : kept;
}

async function patiently(api: Api, onWait: (message: string) => void): Promise<Schema> {
  for (;;) {
    try {
      return await api.schema();
    } catch (cause) {
      if (!(cause instanceof Starting)) {
        throw cause;
      }
      onWait(cause.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** The workflow of the first visit. */
export function firstWorkflow(): Workflow {
  return readWorkflow(textToImage as Json, randomId()).workflow;
}

/** Drafts are a comfort: where the browser forbids them the page works without. */
async function openDrafts(): Promise<DraftStore | undefined> {
  const drafts = createDrafts();
  try {
    await drafts.load("");
    return drafts;
  } catch {
    return undefined;
  }
}

/** The cursor belongs in the prompt. */
function focusPrompt({ document, view }: Workbench): void {
  const { prompt } = document.workflow().parameters;
  if (prompt) {
    view.setState({ focus: prompt });
    setTimeout(() => view.setState({ focus: null }), FOCUS_WAITS_MS);
  }
}

function follow({ runs, activity, definitions }: Workbench, api: Api, tab: string): void {
  /** There may be new nodes and new files: after a restart, or when the person comes back. */
  const refresh = async () => {
    const fresh = await api.schema();
    if (JSON.stringify(fresh) !== JSON.stringify(definitions.getState())) {
      definitions.setState(fresh, true);
    }
  };
  const tell = (cause: unknown) => runs.state.setState({ notice: String(cause) });
  let connected = false;
  connect(tab, {
    onState: (state) => {
      runs.onConnection(state);
      if (state === "open" && connected) {
        refresh().catch(tell);
        activity.refresh();
      }
      connected ||= state === "open";
    },
    onMessage: (message) => {
      runs.onMessage(message);
      activity.onMessage(message);
    },
    onPreview: runs.onPreview,
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && runs.state.getState().connection === "open") {
      refresh().catch(tell);
    }
  });
}
