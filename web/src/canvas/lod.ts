/** Level of detail: when nothing on a node could be read, only its title is drawn, and no dots. */

const FAR_ZOOM = 0.4;

/** Whether the sheet is seen from so far away; a question to the canvas library's store. */
export function isFar({ transform }: { transform: readonly [number, number, number] }): boolean {
  return transform[2] < FAR_ZOOM;
}
