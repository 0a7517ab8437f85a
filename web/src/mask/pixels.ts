/** Masks as the browser holds pictures: read from one, drawn as a tint, written as PNG. */

import { emptyMask, fromPixels, type Mask, toPixels } from "@/mask/mask";

/** Red, green, blue and the most opacity of what is painted, of 255. */
const TINT = [46, 196, 182, 150] as const;

/** The mask that the picture has now, in the size of the picture. */
export async function readMask(url: string): Promise<Mask> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const sheet = new OffscreenCanvas(width, height).getContext("2d");
  if (!sheet) {
    return emptyMask(width, height);
  }
  sheet.drawImage(image, 0, 0);
  return fromPixels(width, height, sheet.getImageData(0, 0, width, height).data);
}

/** Show a mask as a tint over what lies under the canvas. */
export function draw(canvas: HTMLCanvasElement, mask: Mask): void {
  const tinted = new Uint8ClampedArray(4 * mask.values.length);
  const [red, green, blue, most] = TINT;
  for (let at = 0; at < mask.values.length; at += 1) {
    tinted.set([red, green, blue, ((mask.values[at] ?? 0) * most) / 255], 4 * at);
  }
  canvas.getContext("2d")?.putImageData(new ImageData(tinted, mask.width, mask.height), 0, 0);
}

export async function toPng(mask: Mask): Promise<Blob> {
  const sheet = new OffscreenCanvas(mask.width, mask.height);
  const pixels = new ImageData(toPixels(mask), mask.width, mask.height);
  sheet.getContext("2d")?.putImageData(pixels, 0, 0);
  return sheet.convertToBlob({ type: "image/png" });
}
