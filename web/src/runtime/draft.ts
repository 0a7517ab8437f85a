/** The unsaved work of each browser tab, kept in IndexedDB so that a reload or a crash costs nothing. */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { History } from "@/document/history";
import type { Workflow } from "@/document/types";

const KEPT = 10;

export interface Draft {
  tab: string;
  at: number;
  workflow: Workflow;
  saved: Workflow;
  history: History;
  /** The last run of this document, to find its pictures again. */
  lastJob: string | null;
}

interface Drafts extends DBSchema {
  drafts: { key: string; value: Draft; indexes: { at: number } };
}

export interface DraftStore {
  /** The draft of this tab, or else the newest of all. */
  load: (tab: string) => Promise<Draft | undefined>;
  save: (draft: Draft) => Promise<void>;
}

function database(): Promise<IDBPDatabase<Drafts>> {
  return openDB<Drafts>("safelight", 1, {
    upgrade(db) {
      db.createObjectStore("drafts", { keyPath: "tab" }).createIndex("at", "at");
    },
  });
}

const ASIDE = "safelight.aside";

/** Keep the draft of a page that is being left: the one store that does not make it wait. */
export function layAside(draft: Draft): void {
  try {
    sessionStorage.setItem(ASIDE, JSON.stringify(draft));
  } catch {
    // too large for this store: the database may still have been in time
  }
}

/** The draft that was laid aside in this tab, which is then forgotten. */
export function takeAside(): Draft | undefined {
  const text = sessionStorage.getItem(ASIDE);
  sessionStorage.removeItem(ASIDE);
  return text === null ? undefined : (JSON.parse(text) as Draft);
}

/** Drafts in IndexedDB; the oldest beyond ten tabs are let go. */
export function createDrafts(): DraftStore {
  const opened = database();
  return {
    load: async (tab) => {
      const db = await opened;
      const own = await db.get("drafts", tab);
      return own ?? (await db.getAllFromIndex("drafts", "at")).at(-1);
    },
    save: async (draft) => {
      const db = await opened;
      await db.put("drafts", draft);
      const keys = await db.getAllKeysFromIndex("drafts", "at");
      await Promise.all(keys.slice(0, -KEPT).map((key) => db.delete("drafts", key)));
    },
  };
}
