/** Sending a picture to the input folder and making it choosable. */

import type { Workbench } from "@/app/workbench";
import type { InputSpec } from "@/document/schema";
import type { File as PictureFile } from "@/runtime/picture";
import { t } from "@/strings/strings";

/** Upload a file and return the name it was stored under; undefined after saying why it failed. */
export async function takeUpload(
  workbench: Workbench,
  file: File,
  input: InputSpec,
): Promise<string | undefined> {
  try {
    const stored = await workbench.api.upload(file);
    addChoice(workbench, input, stored);
    return stored;
  } catch (cause) {
    workbench.runs.state.setState({
      notice: t.files.notUploaded(file.name, cause instanceof Error ? cause.message : ""),
    });
    return undefined;
  }
}

/** Keep a copy of a picture that carries the mask; answer its name, or undefined after saying why not. */
export async function takeMask(
  workbench: Workbench,
  mask: Blob,
  picture: PictureFile,
  input: InputSpec,
): Promise<string | undefined> {
  try {
    const stored = await workbench.api.uploadMask(mask, picture);
    addChoice(workbench, input, stored);
    return stored;
  } catch (cause) {
    workbench.runs.state.setState({
      notice: t.files.notMasked(cause instanceof Error ? cause.message : ""),
    });
    return undefined;
  }
}

/** Every input that reads the same folder gets the new file among its choices. */
function addChoice({ definitions }: Workbench, { folder }: InputSpec, name: string): void {
  const old = definitions.getState();
  const nodes = Object.fromEntries(
    Object.entries(old.nodes).map(([id, spec]) => {
      const stale = spec.inputs.some(
        (input) => input.upload && input.folder === folder && !input.choices?.includes(name),
      );
      if (!stale) {
        return [id, spec];
      }
      const inputs = spec.inputs.map((input) =>
        input.upload && input.folder === folder
          ? { ...input, choices: [...(input.choices ?? []), name] }
          : input,
      );
      return [id, { ...spec, inputs }];
    }),
  );
  definitions.setState({ ...old, nodes }, true);
}
