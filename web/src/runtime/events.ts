/** The server's run events, narrowed to what the canvas reads. */

import * as z from "zod/mini";
import { shownOutput } from "@/runtime/shapes";
import type { SocketMessage } from "@/runtime/socket";

const id = z.pipe(z.union([z.string(), z.number()]), z.transform(String));
const job = { prompt_id: z.string() };

export const executing = z.object({ node: z.nullable(id), prompt_id: z.optional(z.string()) });
export const cached = z.object({ ...job, nodes: z.array(id) });
export const progress = z.object({ ...job, node: id, value: z.number(), max: z.number() });
export const executed = z.object({
  ...job,
  node: id,
  output: shownOutput,
  seconds: z.optional(z.number()),
});
export const progressState = z.object({
  ...job,
  nodes: z.record(
    z.string(),
    z.looseObject({ state: z.string(), seconds: z.optional(z.number()) }),
  ),
});
export const failure = z.looseObject({
  prompt_id: z.optional(z.string()),
  node_id: z.nullable(id),
  exception_message: z._default(z.string(), ""),
});
export const warning = z.object({ ...job, node_id: id, message: z.string() });
export const ended = z.object(job);

/** The data of a message if it has the expected shape; messages of other shapes are not for us. */
export function read<T extends z.ZodMiniType>(
  shape: T,
  message: SocketMessage,
): z.infer<T> | undefined {
  const result = z.safeParse(shape, message.data);
  return result.success ? result.data : undefined;
}
