/** Keeping the draft of a tab: at once when something changes, and seldom enough while it goes on. */

import type { Workbench } from "@/app/workbench";
import { type DraftStore, layAside, takeAside } from "@/runtime/draft";
import { t } from "@/strings/strings";

/** The least time from one write to the next: what a crash can cost at most. */
export const GAP_MS = 200;

type Kept = Pick<Workbench, "document" | "runs">;

/** Write the draft whenever the document or its last run changes, and when the page is left. */
export function keepDraft({ document: open, runs }: Kept, drafts: DraftStore, tab: string): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing = 0;
  let changed = false;
  let written = Number.NEGATIVE_INFINITY;

  const current = () => {
    const { workflow, saved, history } = open.state.getState();
    const { lastJob } = runs.state.getState();
    return { tab, at: Date.now(), workflow, saved, history, lastJob };
  };
  const write = async () => {
    clearTimeout(timer);
    timer = undefined;
    changed = false;
    writing += 1;
    written = performance.now();
    try {
      await drafts.save(current());
      takeAside();
    } catch (cause) {
      runs.state.setState({ notice: t.files.notKept(String(cause)) });
    } finally {
      writing -= 1;
      if (changed) {
        soon(); // while it was being written
      }
    }
  };
  const soon = () => {
    changed = true;
    if (writing === 0) {
      timer ??= setTimeout(() => void write(), Math.max(0, written + GAP_MS - performance.now()));
    }
  };
  /** A page that is left, or put away on a phone, may never come back, nor end what it is writing. */
  const now = () => {
    if (changed || writing > 0) {
      layAside(current());
    }
    if (changed) {
      void write();
    }
  };
  open.state.subscribe((state, before) => {
    if (
      state.workflow !== before.workflow ||
      state.history !== before.history ||
      state.saved !== before.saved
    ) {
      soon();
    }
  });
  runs.state.subscribe((state, before) => {
    if (state.lastJob !== before.lastJob) {
      void write(); // a page that is left now must find its run again
    }
  });
  addEventListener("pagehide", now);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      now();
    }
  });
}
