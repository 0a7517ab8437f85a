// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { createStore } from "zustand/vanilla";
import { GAP_MS, keepDraft } from "@/app/drafts";
import { rename } from "@/document/commands";
import { createDocument } from "@/document/store";
import { type Draft, type DraftStore, takeAside } from "@/runtime/draft";
import type { Runs } from "@/runtime/run";
import { START } from "@/runtime/runState";
import { pipeline } from "../fixture";

function kept(save: (draft: Draft) => Promise<void> = async () => undefined) {
  const names: string[] = [];
  const drafts: DraftStore = {
    load: async () => undefined,
    save: async (draft) => {
      names.push(draft.workflow.name);
      await save(draft);
    },
  };
  const open = createDocument(pipeline());
  const runs = { state: createStore(() => START) } as unknown as Runs;
  keepDraft({ document: open, runs }, drafts, "tab");
  return { open, names, runs };
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  return () => vi.useRealTimers();
});

test("the first change is written at once, those that follow a gap apart, the last one always", async () => {
  const { open, names } = kept();
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(0);
  expect(names).toEqual(["a"]);
  for (const letter of "bcdefgh") {
    open.apply(rename(letter));
    await vi.advanceTimersByTimeAsync(GAP_MS / 4);
  }
  await vi.advanceTimersByTimeAsync(GAP_MS);
  expect(names.length).toBeLessThan(5);
  expect(names.at(-1)).toBe("h");
});

test("a page that goes away writes what is not yet written", async () => {
  const { open, names } = kept();
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(0);
  open.apply(rename("b"));
  dispatchEvent(new Event("pagehide"));
  expect(names).toEqual(["a", "b"]);
  dispatchEvent(new Event("pagehide"));
  expect(names).toEqual(["a", "b"]);
});

test("what changes while a draft is being written is written after it", async () => {
  const finish: (() => void)[] = [];
  const { open, names } = kept(() => new Promise((resolve) => finish.push(resolve)));
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(0);
  open.apply(rename("b"));
  await vi.advanceTimersByTimeAsync(10 * GAP_MS);
  expect(names).toEqual(["a"]);
  finish[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(names).toEqual(["a", "b"]);
  open.apply(rename("c"));
  dispatchEvent(new Event("pagehide"));
  expect(names).toEqual(["a", "b", "c"]);
});

test("a draft that cannot be kept is told", async () => {
  const { open, runs } = kept(() => Promise.reject(new Error("full")));
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(0);
  expect(runs.state.getState().notice).toContain("full");
});

test("what the database has is no longer laid aside", async () => {
  const { open } = kept();
  sessionStorage.setItem("safelight.aside", "{}");
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(GAP_MS);
  expect(takeAside()).toBeUndefined();
});

test("a draft that is still being written when the page is left is laid aside as well", async () => {
  const { open } = kept(() => new Promise(() => undefined)); // a database that is never in time
  open.apply(rename("a"));
  await vi.advanceTimersByTimeAsync(0);
  open.apply(rename("b"));
  dispatchEvent(new Event("pagehide"));
  expect(takeAside()?.workflow.name).toBe("b");
  expect(takeAside()).toBeUndefined();
});
