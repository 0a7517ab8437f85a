/** A mask as numbers: one byte for each pixel, 255 where something is to be painted anew. */

export interface Mask {
  width: number;
  height: number;
  values: Uint8ClampedArray;
}

export type Point = readonly [x: number, y: number];

const FULL = 255;

/** A mask that covers nothing. */
export function emptyMask(width: number, height: number): Mask {
  return { width, height, values: new Uint8ClampedArray(width * height) };
}

/** The mask that a picture carries as its transparency, from its RGBA values. */
export function fromPixels(width: number, height: number, rgba: Uint8ClampedArray): Mask {
  const mask = emptyMask(width, height);
  for (let at = 0; at < mask.values.length; at += 1) {
    mask.values[at] = FULL - (rgba[4 * at + 3] ?? FULL);
  }
  return mask;
}

/** RGBA values that carry the mask as transparency. */
export function toPixels({ values }: Mask): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(4 * values.length);
  for (let at = 0; at < values.length; at += 1) {
    rgba[4 * at + 3] = FULL - (values[at] ?? 0);
  }
  return rgba;
}

/** Paint along a line with a round brush whose edge is one pixel soft, or erase along it. */
export function stroke(mask: Mask, from: Point, to: Point, radius: number, erase: boolean): void {
  const { width, height, values } = mask;
  const left = Math.max(0, Math.floor(Math.min(from[0], to[0]) - radius - 1));
  const right = Math.min(width - 1, Math.ceil(Math.max(from[0], to[0]) + radius + 1));
  const top = Math.max(0, Math.floor(Math.min(from[1], to[1]) - radius - 1));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(from[1], to[1]) + radius + 1));
  for (let y = top; y <= bottom; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const inside = radius + 0.5 - distance([x + 0.5, y + 0.5], from, to);
      const cover = FULL * Math.min(1, Math.max(0, inside));
      const at = y * width + x;
      const before = values[at] ?? 0;
      values[at] = erase ? Math.min(before, FULL - cover) : Math.max(before, cover);
    }
  }
}

/** How far a point is from the line between two others. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / length;
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - share * dx, y - ay - share * dy);
}

/** What was covered is free, and what was free is covered. */
export function inverted({ width, height, values }: Mask): Mask {
  return { width, height, values: values.map((value) => FULL - value) };
}

/** The same mask with edges that fade over about `radius` pixels to either side. */
export function feathered(mask: Mask, radius: number): Mask {
  const box = Math.round(radius / 2);
  if (box < 1) {
    return mask;
  }
  const { width, height } = mask;
  let values = Float32Array.from(mask.values);
  for (let round = 0; round < 2; round += 1) {
    values = blurred(values, width, height, 1, width, box);
    values = blurred(values, height, width, width, 1, box);
  }
  return { width, height, values: Uint8ClampedArray.from(values) };
}

/** The mean over 2 box + 1 neighbours along one axis; beyond the edge it is as at the edge. */
function blurred(
  values: Float32Array,
  length: number,
  lines: number,
  step: number,
  stride: number,
  box: number,
): Float32Array<ArrayBuffer> {
  const found = new Float32Array(values.length);
  for (let line = 0; line < lines; line += 1) {
    const at = (index: number) =>
      values[line * stride + Math.min(length - 1, Math.max(0, index)) * step] ?? 0;
    let sum = 0;
    for (let index = -box; index <= box; index += 1) {
      sum += at(index);
    }
    for (let index = 0; index < length; index += 1) {
      found[line * stride + index * step] = sum / (2 * box + 1);
      sum += at(index + box + 1) - at(index - box);
    }
  }
  return found;
}
