/** Arithmetic of number fields: steps, bounds and rounding, for integers of any size. */

import { readDecimal, readInteger } from "@/document/numbers";
import type { InputSpec } from "@/document/schema";
import type { Json } from "@/document/types";

/** The value `steps` steps away, kept within the bounds. */
export function stepped(input: InputSpec, value: Json, steps: number): Json {
  const step = input.step ?? (input.type === "INT" ? 1 : 0.1);
  if (typeof value === "string") {
    const moved = readInteger(String(BigInt(value) + BigInt(Math.round(steps * step))));
    return moved === undefined ? value : bounded(input, moved);
  }
  const moved = (typeof value === "number" ? value : 0) + steps * step;
  const decimals = input.type === "INT" ? 0 : decimalsOf(input);
  return bounded(input, Number(moved.toFixed(decimals)));
}

/** The value a person typed, kept within the bounds; undefined if it is no number. */
export function typed(input: InputSpec, text: string): Json | undefined {
  const value = input.type === "INT" ? readInteger(text) : readDecimal(text);
  return value === undefined ? undefined : bounded(input, value);
}

/** How a number is written on the node. */
export function written(input: InputSpec, value: Json): string {
  if (typeof value !== "number" || input.type === "INT") {
    return String(value ?? "");
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function decimalsOf(input: InputSpec): number {
  const finest = Math.min(input.round ?? 0.01, input.step ?? 0.01) || 0.01;
  return Math.min(6, Math.max(0, Math.ceil(-Math.log10(finest) - 1e-9)));
}

function bounded(input: InputSpec, value: number | string): Json {
  const size = Number(value);
  if (input.min !== null && size < input.min) {
    return input.min;
  }
  if (input.max !== null && size > input.max) {
    return Number.isSafeInteger(input.max) ? input.max : BigInt(input.max).toString();
  }
  return value;
}
