/** Shapes that several answers of the server share. */

import * as z from "zod/mini";

const image = z.object({
  filename: z.string(),
  subfolder: z._default(z.string(), ""),
  type: z._default(z.string(), "output"),
});
export type ImageRef = z.infer<typeof image>;

const text = z.union([z.string(), z.object({ text: z.string() })]);

/** What a node showed: its pictures and what it said, if anything. */
export const shownOutput = z.nullable(
  z.looseObject({
    images: z.optional(z.array(image)),
    text: z.optional(z.catch(z.array(text), [])),
    notes: z.optional(z.catch(z.array(text), [])),
  }),
);

/** What a node said, in the order of its saying. */
export function saidBy(output: z.infer<typeof shownOutput> | undefined): string[] {
  const said = [...(output?.text ?? []), ...(output?.notes ?? [])];
  return said.map((one) => (typeof one === "string" ? one : one.text));
}
