/**
 * JSON without rounding: integers that a double cannot hold become decimal strings.
 *
 * Seeds go up to 2^64 - 1, and `JSON.parse` would silently change them.
 */

import type { Json } from "@/document/types";

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/** Parse JSON text; integers beyond 2^53 come back as decimal strings. */
export function parseJson(text: string): Json {
  const kept = text.replace(STRING_OR_NUMBER, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
  return JSON.parse(kept) as Json;
}

/** Read an integer a person typed or a file holds: a number, or a decimal string where it would round. */
export function readInteger(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (!INTEGER.test(trimmed)) {
    return undefined;
  }
  const value = Number(trimmed);
  return Number.isSafeInteger(value) ? value : BigInt(trimmed).toString();
}

/** Read a decimal number; a comma is as good as a point. */
export function readDecimal(text: string): number | undefined {
  const trimmed = text.trim().replace(",", ".");
  if (!/^-?(\d+\.?\d*|\.\d+)$/.test(trimmed)) {
    return undefined;
  }
  return Number(trimmed);
}
