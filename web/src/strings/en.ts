/** Everything the page says, in English.  `Strings` is the shape that every other language fills. */

export const en = {
  /** The name of this language in itself. */
  language: "English",

  /** What a command is called, by its id. */
  actions: {
    run: "Run",
    "run-to": "Run to here",
    cancel: "Cancel",
    undo: "Undo",
    redo: "Redo",
    add: "Add node",
    collapse: "Fold or unfold",
    connect: "Connect from a list",
    mute: "Leave out of the run, or take in again",
    bypass: "Bypass, or stop bypassing",
    help: "Help for the node",
    source: "Source of the node",
    mask: "Paint a mask",
    rename: "Rename",
    duplicate: "Duplicate",
    "select-all": "Select all",
    tidy: "Tidy up",
    "align-left": "Align left edges",
    "align-right": "Align right edges",
    "align-top": "Align top edges",
    "align-bottom": "Align bottom edges",
    "align-centre": "Align centres",
    "align-middle": "Align middles",
    "distribute-across": "Distribute across",
    "distribute-down": "Distribute down",
    frame: "Frame the chosen nodes",
    "fit-frame": "Fit frame to its nodes",
    "choose-framed": "Choose what lies in the frame",
    save: "Save workflow",
    open: "Open workflow",
    inspector: "Inspector",
    queue: "Queue",
    history: "Earlier results",
    fit: "Fit the view",
    palette: "All commands",
    shortcuts: "Keyboard shortcuts",
    delete: "Delete",
  },

  /** Neighbours in menus and in the palette. */
  groups: {
    Run: "Run",
    Edit: "Edit",
    Nodes: "Nodes",
    Arrange: "Arrange",
    Frames: "Frames",
    Workflow: "Workflow",
    View: "View",
  },

  shell: {
    workflow: "Workflow",
    name: "Name of the workflow",
    unsaved: "Changed since the last save to a file; a draft is kept in this browser",
    light: "Light theme",
    dark: "Dark theme",
    close: (panel: string) => `Close ${panel.toLowerCase()}`,
    connecting: "Connecting…",
    connected: "Connected",
    lost: "Connection lost. Trying again…",
    problems: (count: number) => (count === 1 ? "1 problem" : `${count} problems`),
    shortcuts: "Shortcuts",
    step: (title: string, value: number, max: number) => `${title}: step ${value} of ${max}`,
    waiting: "The nodes are being read for the first time. This takes a moment.",
    silent: "The server does not answer",
    unread: (why: string) => `Safelight could not read what the server can do. ${why}`,
  },
};

export type Strings = typeof en;
