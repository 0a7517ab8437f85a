/** What is looked at, chosen and open: never part of the document and never undone. */

import { createStore, type StoreApi } from "zustand/vanilla";
import type { Guide } from "@/document/snap";
import type { NodeId, Position } from "@/document/types";
import type { SocketEnd } from "@/document/typing";
import type { Picture } from "@/runtime/picture";
import type { Report } from "@/sharing/report";

export interface SearchRequest {
  /** Where the panel opens, in pixels of the page. */
  at: Position;
  /** Where the node goes, in canvas units. */
  place: Position;
  /** The wire that was dropped, if the search was opened by one. */
  from: SocketEnd | null;
}

/** What a menu was asked for at. */
export type MenuPlace = "sheet" | "node" | "frame" | "wire";

export interface MenuRequest {
  on: MenuPlace;
  /** Where the menu opens, in pixels of the page. */
  at: Position;
  /** The same place in canvas units. */
  place: Position;
  /** The field it was asked for at, if it was at one. */
  field?: Field | undefined;
}

export interface LightboxRequest {
  /** Null for those of the open document, as they come. */
  pictures: readonly Picture[] | null;
  index: number;
}

export interface HelpRequest {
  node: NodeId;
  page: "about" | "source";
}

/** The sheet for those who wire, or the form for those who only fill in. */
export type Page = "canvas" | "form";

/** What stands beside the sheet. */
export type Side = "queue" | "history" | "inspector";

/** What the page has to say about a workflow that goes out or came in. */
export type Talk =
  | { about: "link" }
  | { about: "arrived"; href: string }
  | { about: "report"; report: Report };

export interface Field {
  node: NodeId;
  input: string;
}

export interface ViewState {
  page: Page;
  selection: readonly NodeId[];
  /** Chosen wires, by `TARGET:INPUT`. */
  wires: readonly string[];
  /** Chosen frames. */
  frames: readonly string[];
  /** Where nodes and frames are while they are being dragged, by their ids on the canvas. */
  drag: Readonly<Record<string, Position>> | null;
  /** Lines that show what a dragged node lies in line with. */
  guides: readonly Guide[];
  hovered: NodeId | null;
  connecting: SocketEnd | null;
  search: SearchRequest | null;
  menu: MenuRequest | null;
  paletteOpen: boolean;
  side: Side | null;
  /** The node or frame whose title is being written, by its id on the canvas. */
  renaming: string | null;
  problemsOpen: boolean;
  shortcutsOpen: boolean;
  settingsOpen: boolean;
  talk: Talk | null;
  /** The node whose help is shown, and which page of it. */
  help: HelpRequest | null;
  /** The node whose possible wires are listed. */
  connectFrom: NodeId | null;
  /** The picture whose mask is being painted. */
  mask: Field | null;
  lightbox: LightboxRequest | null;
  /** The field that takes the cursor as soon as it is drawn. */
  focus: Field | null;
}

export type ViewStore = StoreApi<ViewState>;

/** Make the view of one page. */
export function createView(): ViewStore {
  return createStore<ViewState>(() => ({
    page: "canvas",
    selection: [],
    wires: [],
    frames: [],
    drag: null,
    guides: [],
    hovered: null,
    connecting: null,
    search: null,
    menu: null,
    paletteOpen: false,
    side: null,
    renaming: null,
    problemsOpen: false,
    shortcutsOpen: false,
    settingsOpen: false,
    talk: null,
    help: null,
    connectFrom: null,
    mask: null,
    lightbox: null,
    focus: null,
  }));
}
