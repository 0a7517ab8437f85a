/** A finished picture on the server, and where to fetch it. */

import type { NodeId } from "@/document/types";

export interface Picture {
  node: NodeId;
  filename: string;
  subfolder: string;
  type: string;
  /** The run that made it. */
  job: string;
  /** The seed it was made with, where one is known. */
  seed: string | null;
}

export type File = Pick<Picture, "filename" | "subfolder" | "type">;

/** The picture that an input names, as `subfolder/name` of the input folder. */
export function inputPicture(name: string): File {
  const cut = name.lastIndexOf("/");
  return {
    filename: name.slice(cut + 1),
    subfolder: name.slice(0, Math.max(0, cut)),
    type: "input",
  };
}

/** The address of a smaller file of the picture. */
export function thumbnailUrl(picture: File): string {
  return `${pictureUrl(picture)}&preview=webp;75`;
}

/** The address of a picture. */
export function pictureUrl({ filename, subfolder, type }: File): string {
  return `/api/view?${new URLSearchParams({ filename, subfolder, type })}`;
}
