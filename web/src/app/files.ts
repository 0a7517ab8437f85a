/** Workflows coming in and going out as files. */

import { freshNode } from "@/app/freshNode";
import { takeUpload } from "@/app/uploads";
import type { Workbench } from "@/app/workbench";
import { geometryOf } from "@/canvas/geometry";
import { addNode, freshId, replace } from "@/document/commands";
import { layout } from "@/document/layout";
import { parseJson } from "@/document/numbers";
import { isPng, readTexts } from "@/document/png";
import { type Opened, readText, readWorkflow, Unreadable } from "@/document/read";
import type { Schema } from "@/document/schema";
import { createExtend } from "@/document/specs";
import { type Json, type Position, type Sheet, UNTITLED, type Workflow } from "@/document/types";
import { fileOf } from "@/runtime/carried";
import { randomId } from "@/runtime/ids";
import type { File as PictureFile } from "@/runtime/picture";
import { isComfy, missingIn } from "@/sharing/report";
import { t } from "@/strings/strings";

/** Download the document as JSON. */
export function saveWorkflow({ document: store, runs }: Workbench): void {
  const workflow = store.workflow();
  const blob = new Blob([`${JSON.stringify(workflow, null, 2)}\n`], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(workflow.name)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  store.markSaved();
  runs.state.setState({ notice: t.files.saved(link.download) });
}

function fileName(name: string): string {
  const safe = name
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return safe || "workflow";
}

/** Let a person choose a file, and open it. */
export function openFile(workbench: Workbench): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".json,.png,application/json,image/png";
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) {
      void takeFile(workbench, file, null);
    }
  });
  input.click();
}

/**
 * Take a file that was opened or dropped.
 *
 * A workflow, or a PNG that carries one, replaces the document as one undoable step. Any other
 * picture is uploaded and stands where it was dropped as a Load Image node.
 */
export async function takeFile(
  workbench: Workbench,
  file: File,
  place: Position | null,
): Promise<void> {
  const { runs } = workbench;
  try {
    const opened = await workflowIn(workbench, file);
    if (opened) {
      open(workbench, laidOut(opened, workbench.schema.getState()), file.name);
      if (opened.guesses) {
        report(workbench, file.name, opened);
      }
    } else if (file.type.startsWith("image/")) {
      await addPicture(
        workbench,
        file,
        place ?? workbench.camera.current?.centre().canvas ?? [0, 0],
      );
    } else {
      throw new Unreadable(t.files.kinds);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    runs.state.setState({ notice: t.files.refused(file.name, why) });
  }
}

/** Put a picture of the server on the sheet, as an input of its own. */
export async function takeCarried(
  workbench: Workbench,
  picture: PictureFile,
  place: Position,
): Promise<void> {
  try {
    await addPicture(workbench, await fileOf(picture), place);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    workbench.runs.state.setState({ notice: t.files.refused(picture.filename, why) });
  }
}

/** What was read, and for a workflow of another program what was guessed, and what it said. */
interface Imported extends Opened {
  guesses?: readonly string[];
  from?: Json;
}

async function workflowIn(workbench: Workbench, file: File): Promise<Imported | undefined> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const id = randomId();
  if (!isPng(bytes)) {
    return file.type.startsWith("image/")
      ? undefined
      : readAny(workbench, new TextDecoder().decode(bytes), id);
  }
  const texts = await readTexts(bytes);
  const failures: unknown[] = [];
  for (const text of [texts.get("workflow"), texts.get("prompt")]) {
    try {
      if (text !== undefined) {
        return await readAny(workbench, text, id);
      }
    } catch (cause) {
      failures.push(cause);
    }
  }
  if (failures.length > 0) {
    throw failures[0];
  }
  return undefined;
}

/** Read a workflow; what ComfyUI's canvas saves is translated by the server. */
async function readAny({ api }: Workbench, text: string, id: string): Promise<Imported> {
  const json = parsed(text);
  if (!isComfy(json)) {
    return readText(text, id);
  }
  const { workflow, guesses } = await api.convert(json);
  return { ...readWorkflow(workflow, id), guesses, from: json };
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return null; // what is wrong with it is told where it is read
  }
}

/** Tell what came of a workflow of another program. */
function report({ definitions, view }: Workbench, name: string, imported: Imported): void {
  const { workflow, guesses = [], from = null } = imported;
  const missing = missingIn(workflow, definitions.getState(), from);
  view.setState({ talk: { about: "report", report: { name, guesses, ...missing } } });
}

/** The workflow with places for the nodes that had none. */
export function laidOut(opened: Opened, definitions: Schema): Workflow {
  const { workflow, unplaced, unplacedIn } = opened;
  const schema = createExtend()(definitions, workflow.subgraphs);
  const subgraphs = { ...workflow.subgraphs };
  for (const id of unplacedIn) {
    const inner = subgraphs[id];
    if (inner) {
      subgraphs[id] = { ...inner, nodes: placed(inner, schema) };
    }
  }
  return unplaced.length > 0
    ? { ...workflow, subgraphs, nodes: placed(workflow, schema) }
    : { ...workflow, subgraphs };
}

/** The nodes of a sheet, in columns along the wires. */
function placed(sheet: Sheet, schema: Schema): Sheet["nodes"] {
  const positions = layout(sheet, (id) => {
    const record = sheet.nodes[id];
    return record
      ? geometryOf(schema.nodes[record.class_type], record, { preview: false })
      : { width: 0, height: 0 };
  });
  return Object.fromEntries(
    Object.entries(sheet.nodes).map(([id, record]) => [
      id,
      { ...record, _meta: { ...record._meta, position: positions[id] ?? [0, 0] } },
    ]),
  );
}

/** Put a workflow in the place of the open one, as one step that undo takes back. */
export function openWorkflow(
  { document, runs, camera, view }: Workbench,
  workflow: Workflow,
  label: string,
  notice: string,
): void {
  const same = document.workflow().id === workflow.id;
  document.apply(replace(workflow, label), []);
  view.setState({ wires: [], frames: [] });
  if (!same) {
    runs.reset();
  }
  runs.state.setState({ notice });
  requestAnimationFrame(() => camera.current?.fit());
}

function open(workbench: Workbench, workflow: Workflow, name: string): void {
  const named =
    workflow.name === UNTITLED ? { ...workflow, name: name.replace(/\.\w+$/, "") } : workflow;
  workbench.runs.reset();
  openWorkflow(workbench, named, t.steps.open(name), t.files.opened(name));
  workbench.document.markSaved();
}

async function addPicture(workbench: Workbench, file: File, place: Position): Promise<void> {
  const { document } = workbench;
  const schema = workbench.schema.getState();
  const spec = Object.values(schema.nodes).find((node) =>
    node.inputs.some((input) => input.upload),
  );
  const input = spec?.inputs.find((candidate) => candidate.upload);
  if (!spec || !input) {
    throw new Unreadable(t.files.none);
  }
  const stored = await takeUpload(workbench, file, input);
  if (stored !== undefined) {
    const record = freshNode(spec, place);
    const id = freshId(document.sheet());
    document.apply(
      addNode(
        id,
        { ...record, inputs: { ...record.inputs, [input.name]: stored } },
        t.steps.addPicture,
      ),
      [id],
    );
    workbench.runs.state.setState({ notice: t.files.added(stored) });
  }
}
