/** Shapes that several answers of the server share. */

import * as z from "zod/mini";

const image = z.object({
  filename: z.string(),
  subfolder: z._default(z.string(), ""),
  type: z._default(z.string(), "output"),
});
export type ImageRef = z.infer<typeof image>;

/** What a node showed: its pictures, if it has any. */
export const shownOutput = z.nullable(z.looseObject({ images: z.optional(z.array(image)) }));
