/** A picture of the server that is dragged from one place of the page to another. */

import * as z from "zod/mini";
import { type File as PictureFile, pictureUrl } from "@/runtime/picture";

/** The kind under which a drag carries it; other pages make nothing of it. */
const KIND = "application/x-safelight-picture";

const shape = z.object({ filename: z.string(), subfolder: z.string(), type: z.string() });

/** Let a drag carry this picture. */
export function carry(transfer: DataTransfer, picture: PictureFile): void {
  const { filename, subfolder, type } = picture;
  transfer.effectAllowed = "copy";
  transfer.setData(KIND, JSON.stringify({ filename, subfolder, type }));
  transfer.setData("text/uri-list", new URL(pictureUrl(picture), location.href).href);
}

/** The picture that a drag carries, if it carries one of ours. */
export function carried(transfer: DataTransfer): PictureFile | undefined {
  try {
    return z.parse(shape, JSON.parse(transfer.getData(KIND)));
  } catch {
    return undefined;
  }
}

/** The picture itself, to be sent to the input folder. */
export async function fileOf(picture: PictureFile): Promise<File> {
  const response = await fetch(pictureUrl(picture));
  if (!response.ok) {
    throw new Error(response.statusText);
  }
  const blob = await response.blob();
  return new File([blob], picture.filename, { type: blob.type });
}
