/** How far a slider goes: over all values if they are few, else over those that people use. */

import { defaultOf, type InputSpec } from "@/document/schema";

/** Beyond that many steps a slider cannot be set with a finger. */
const MOST_STEPS = 400;
/** What lies beyond four times the default is left to the number field. */
const USUAL = 4;

export interface Reach {
  min: number;
  max: number;
  step: number;
}

/** The range of a slider for this input; undefined where none makes sense. */
export function reachOf(input: InputSpec): Reach | undefined {
  const { min, max } = input;
  const standard = defaultOf(input);
  if (min === null || max === null || max <= min || typeof standard !== "number") {
    return undefined;
  }
  const whole = input.type === "INT";
  const step = Math.max(input.step ?? 0, whole ? 1 : (max - min) / MOST_STEPS);
  if ((max - min) / step <= MOST_STEPS) {
    return { min, max, step: input.step ?? step };
  }
  const usual = standard > min ? min + (standard - min) * USUAL : min + step * MOST_STEPS;
  const end = min + Math.round((Math.min(max, usual) - min) / step) * step;
  return end > min ? { min, max: end, step } : undefined;
}
