/** Everything the page says, in English.  `Strings` is the shape that every other language fills. */

/** What a gesture does, and how it is made. */
type Gesture = readonly [what: string, how: string];
type KeyedGesture = readonly [what: string, how: (key: string) => string];

interface Gestures {
  add: Gesture;
  connect: Gesture;
  find: Gesture;
  several: Gesture;
  free: KeyedGesture;
  menu: KeyedGesture;
  number: Gesture;
  rename: Gesture;
  copy: string;
}

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
    pack: "Make a subgraph",
    "open-subgraph": "Open the subgraph",
    "leave-subgraph": "Leave the subgraph",
    unpack: "Unpack the subgraph",
    promote: "Show this field outside",
    reroute: "Add a reroute",
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
    link: "Link to this workflow",
    open: "Open workflow",
    inspector: "Inspector",
    queue: "Queue",
    history: "Earlier results",
    form: "Form or canvas",
    fit: "Fit the view",
    palette: "All commands",
    shortcuts: "Keyboard shortcuts",
    settings: "Settings",
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

  mask: {
    title: "Mask",
    board: "Mask: arrows move the brush, Space paints, Shift and arrows paint a line",
    unread: "The picture could not be read.",
    paint: "Paint",
    erase: "Erase",
    brush: "Brush",
    feather: "Feather",
    invert: "Invert the mask",
    clear: "Clear the mask",
    back: "Undo the stroke",
    use: "Use this mask",
  },

  subgraphs: {
    way: "Way to this subgraph",
    name: "Name of the subgraph",
    fresh: "Subgraph",
    open: (title: string) => `Open ${title}`,
    inputs: "Inputs",
    outputs: "Outputs",
    hint: {
      inputs: "What every instance of this subgraph is given.",
      outputs: "What every instance of this subgraph gives on.",
    },
    titleOf: (name: string) => `Title of ${name}`,
    promote: (title: string) => `Show ${title} outside`,
    up: (title: string) => `Move ${title} up`,
    down: (title: string) => `Move ${title} down`,
    remove: (title: string) => `Remove ${title}`,
  },

  shell: {
    workflow: "Workflow",
    name: "Name of the workflow",
    unsaved: "Changed since the last save to a file; a draft is kept in this browser",
    close: (panel: string) => `Close ${panel.toLowerCase()}`,
    connecting: "Connecting…",
    connected: "Connected",
    lost: "Connection lost. Trying again…",
    allProblems: "Problems",
    again: "Try again",
    broke: "Something on this page broke",
    kept: (cause: string) => `Your workflow is kept as a draft. ${cause}`,
    problems: (count: number) => (count === 1 ? "1 problem" : `${count} problems`),
    shortcuts: "Shortcuts",
    step: (title: string, value: number, max: number) => `${title}: step ${value} of ${max}`,
    waiting: "The nodes are being read for the first time. This takes a moment.",
    silent: "The server does not answer",
    unread: (why: string) => `Safelight could not read what the server can do. ${why}`,
  },

  widgets: {
    of: (input: string, node: string) => `${input} of ${node}`,
    dice: (node: string) => `Dice of ${node}`,
    drawSeed: "Draw a seed for each run",
    keepSeed: "Keep the seed",
    seeds: {
      randomize: "Each run draws a new seed. Click to keep this one.",
      increment: "Each run takes the next seed. Click to keep this one.",
      fixed: "This seed is kept. Click to draw a new one for each run.",
    },
    missing: (name: string) => `${name} is not here`,
    none: "none there",
    choose: "Choose a file",
    chooseFor: (field: string) => `Choose a file for ${field}`,
    fileFor: (field: string) => `File for ${field}`,
    maskFor: (field: string) => `Paint a mask for ${field}`,
    drop: "Drop a picture here",
  },

  /** Steps of the history, as they are told when they are taken back. */
  steps: {
    undone: (step: string) => `Undone: ${step}`,
    redone: (step: string) => `Redone: ${step}`,
    addNamed: (title: string) => `Add ${title}`,
    addPicture: "Add picture",
    open: (name: string) => `Open ${name}`,
    cut: "Cut",
    paste: "Paste",
    fold: "Fold",
    unfold: "Unfold",
    mute: "Leave out",
    bypass: "Bypass",
    mode: "Change when it runs",
    seedControl: "Change how the seed is chosen",
    drawSeed: "Draw seed",
    renameNode: "Rename node",
    renameFrame: "Rename frame",
    note: "Change note",
    fitFrame: "Fit frame",
  },

  run: {
    node: (id: string) => `Node ${id}`,
    answered: (status: string) => `The server answered ${status}`,
    silent: "The run failed without saying why.",
    failed: "Failed",
    cancelled: "Cancelled",
    stopping: "Stopping…",
    done: (seconds: string) => `Done in ${seconds} s`,
    nothing: (title: string) =>
      `Nothing can show what ${title} gives. Run to a node that gives a picture.`,
    mend: (count: number) => `${count} problems to mend before a run.`,
    unreached: (why: string) => `The server could not be reached. ${why}`,
    notCancelled: (why: string) => `Cancel did not reach the server. ${why}`,
    forgotten: "The server no longer knows this run. Run it again.",
  },

  files: {
    saved: (name: string) => `Saved ${name}`,
    kinds: "Only JSON and pictures can be opened.",
    refused: (name: string, why: string) => `${name} was not opened. ${why}`,
    opened: (name: string) => `Opened ${name}. Undo brings back what was here.`,
    none: "It carries no workflow.",
    added: (name: string) => `Added ${name}`,
    notUploaded: (name: string, why: string) => `${name} could not be uploaded. ${why}`,
    notMasked: (why: string) => `The mask could not be kept. ${why}`,
    notPasted: (why: string) => `That could not be pasted. ${why}`,
    nothing: "Nothing is in it.",
    notKept: (why: string) => `The draft could not be kept. ${why}`,
  },

  dialog: {
    close: "Close",
  },

  palette: {
    title: "Commands",
    search: "Search commands",
    hint: "What do you want to do?",
    none: "No command is called that.",
  },

  menus: {
    sheet: "Menu of the sheet",
    node: "Menu of the node",
    frame: "Menu of the frame",
    wire: "Menu of the wire",
  },

  shortcuts: {
    title: "Keyboard and mouse",
    drawn: "The canvas is drawn with React Flow.",
    or: " or ",
    gestures: {
      add: ["Add node here", "Double click on the sheet"],
      connect: ["Connect", "Drag from one socket to another"],
      find: ["Find a fitting node", "Drop a wire on the sheet"],
      several: ["Select several", "Shift and drag on the sheet"],
      free: ["Move without snapping", (key: string) => `Hold ${key} while dragging`],
      menu: ["Menu of a node, wire or frame", (key: string) => `Right click, or ${key}`],
      number: ["Change a number", "Drag it sideways, or use the arrow keys"],
      rename: ["Rename a node", "Double click on its title"],
      copy: "Copy, cut and paste nodes",
    } as Gestures,
  },

  sharing: {
    link: "Link",
    within: "The whole workflow is in this link, and no server sees it. Pictures are not in it.",
    long: (length: number) =>
      `It has ${length} characters; some programs cut links as long as that. A file is safer.`,
    copy: "Copy",
    copied: "Copied",
    newTab: "Open in a new tab",
    notNow: "Not now",
    arrived: "A workflow came with the link",
    beside: "It opens in a tab of its own, so that what lies open here stays as it is.",
    opened: (name: string) => `Opened ${name} from the link.`,
    damaged: "The link is damaged: no workflow can be read from it.",
    report: (name: string) => `Imported ${name}`,
    fine: "Everything was understood, and everything it needs is here.",
    classes: "Nodes that are not installed",
    files: "Files that are not here",
    file: (name: string, folder: string, hash: string) =>
      hash ? `${name} in ${folder} (hash ${hash})` : `${name} in ${folder}`,
    guesses: "What had to be guessed",
  },

  prompt: {
    tokens: (count: string, room: number, chunks: number) =>
      chunks === 1 ? `${count} of ${room} tokens` : `${count} of ${room} tokens, ${chunks} chunks`,
    estimated: "Estimated: this model's own words are not known here",
    unknown: "This model does not know this word",
    embedding: "learnt word",
    lora: "what this LoRA listens to",
    known: "known word",
  },

  settings: {
    title: "Settings",
    language: "Language",
    unspoken: (why: string) => `The language could not be loaded. ${why}`,
    theme: "Theme",
    themes: { system: "As the system", light: "Light", dark: "Dark" },
    contrast: "Contrast",
    contrasts: { system: "As the system", normal: "Calm", more: "High" },
  },

  connect: {
    title: "Connect",
    search: "Search connections",
    list: "Connections",
    hint: "From which socket to which",
    none: "Nothing else here fits this node.",
  },

  nodes: {
    search: "Search nodes",
    list: "Nodes",
    hint: "Add a node",
    taking: (type: string) => `Nodes that take ${type}`,
    giving: (type: string) => `Nodes that give ${type}`,
    none: "No node fits.",
  },

  help: {
    pages: "Pages of help",
    about: "About",
    source: "Source",
    takes: "Takes",
    gives: "Gives",
    range: (min: number, max: number) => `, ${min} to ${max}`,
    optional: ", optional",
  },

  source: {
    files: "Files",
    node: "The node",
    course: "What it runs",
    back: "Back",
  },

  inspector: {
    several: (count: number) => `${count} nodes are chosen.`,
    none: "Choose a node or a frame to see all about it.",
    unknown: (classType: string) => `${classType} is not installed here.`,
    title: "Title",
    frame: "Frame",
    note: "Note",
    notePlaceholder: "What the frame is for",
    runs: "Runs",
    modes: { always: "Always", mute: "Never: left out", bypass: "Never: bypassed" },
    seed: "Seed is",
    seeds: {
      fixed: "Kept",
      randomize: "Drawn anew for each run",
      increment: "The next for each run",
    },
    about: "About this node",
    from: (title: string) => `from ${title}`,
    wired: "wired",
  },

  queue: {
    hold: "Hold what waits",
    resume: "Go on with what waits",
    empty: "Nothing runs and nothing waits.",
    running: "Running",
    waiting: "Waiting",
    held: "Held",
    clear: "Clear",
    unfinished: "Not finished",
    unreached: (why: string) => `That did not reach the server. ${why}`,
    wordless: "A run without words",
    own: "from here",
    seed: (seed: string) => `seed ${seed}`,
    earlier: (name: string) => `Run ${name} earlier`,
    later: (name: string) => `Run ${name} later`,
    again: (name: string) => `Try ${name} again`,
    cancel: (name: string) => `Cancel ${name}`,
  },

  history: {
    search: "Search by prompt",
    words: "Words of the prompt",
    empty: "What you make appears here.",
    none: "No picture with these words.",
    pictures: "Pictures",
    older: "Show older ones",
    drag: "Click to enlarge; drag onto the sheet or onto a picture field to use it",
    favourites: "Only favourites",
    unliked: "No favourite here. The star under a picture makes it one.",
    like: (name: string) => `Favourite: ${name}`,
    reuse: (name: string) => `Use the settings of ${name}`,
    reused:
      "These are the settings of that picture, seed included. Undo brings back what was here.",
    forgotten: "The server no longer knows how this was made.",
    unread: (why: string) => `The settings could not be read. ${why}`,
  },

  lightbox: {
    title: "Picture",
    previous: "Previous picture",
    next: "Next picture",
    place: (at: number, count: number) => `${at} of ${count}`,
    beside: (one: string, other: string) => `${one}, beside ${other}`,
    compare: "Compare with another picture",
    reuse: "Use these settings",
    download: "Download",
    about: "About this picture",
    size: "Size",
    pixels: (width: number, height: number) => `${width} × ${height} pixels`,
    file: "File",
    seed: "Seed",
    share: "How much of the first picture is shown",
    percent: (share: number) => `${share} percent`,
  },

  form: {
    title: "Form",
    toForm: "Form",
    toCanvas: "Canvas",
    fields: "Fields",
    results: "Results",
    earlier: "Made with this form",
    older: "Show more",
    empty:
      "This form has no fields yet. On the canvas, choose a node and open its inspector: every value there can be shown in the form.",
    waiting: "The picture appears here",
    preview: "Live preview",
    gone: "The canvas no longer has this field.",
    driven: (source: string) => `Comes from ${source}`,
    slider: (label: string) => `Slide ${label}`,
    draw: "Draw another seed",
    anew: "Another seed for each run",
    progress: "Progress",
    step: (value: number, max: number) => `Step ${value} of ${max}`,
    queued: "Waiting for its turn",
    enlarge: (what: string) => `Enlarge ${what}`,
    show: (field: string) => `Show ${field} in the form`,
    shown: "In the form",
    showResult: "Show its picture in the form",
    label: "Label in the form",
    up: "Further up in the form",
    down: "Further down in the form",
  },
};

export type Strings = typeof en;
