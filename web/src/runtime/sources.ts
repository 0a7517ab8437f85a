/** The code behind a node, as the server tells it. */

import * as z from "zod/mini";

const place = z.object({ file: z.string(), line: z.number() });

const node = z.extend(place, {
  course: z.array(z.extend(place, { names: z.array(z.string()) })),
});
export type NodeSource = z.infer<typeof node>;

const file = z.object({
  file: z.string(),
  text: z.string(),
  names: z.record(z.string(), z.tuple([z.string(), z.number()])),
});
export type SourceFile = z.infer<typeof file>;

/** Where the code of a node class stands, and what it runs. */
export function readNodeSource(json: unknown): NodeSource {
  return z.parse(node, json);
}

/** The text of a file, and where the names in it come from. */
export function readSourceFile(json: unknown): SourceFile {
  return z.parse(file, json);
}
