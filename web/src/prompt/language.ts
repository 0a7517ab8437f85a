/**
 * The little language of prompts, as the encoders read it: which parts are markup, how a weight is
 * changed, and how many tokens are left.
 *
 *     (word:1.2)  weighs 1.2        ((word))  1.1 for each bare pair      \(  a parenthesis
 *     embedding:name  a learnt word     {a|b}  one of them     __name__  a line of a file
 */

export type MarkKind = "mark" | "weight" | "more" | "less" | "embedding" | "choice" | "unknown";

export interface Mark {
  from: number;
  to: number;
  kind: MarkKind;
}

/** Words in parentheses, with the place of their weight if one is written. */
interface Group {
  from: number;
  to: number;
  /** Where the words begin and end. */
  inner: readonly [from: number, to: number];
  weight: number;
}

export interface Edit {
  from: number;
  to: number;
  insert: string;
  /** What is chosen afterwards, so that the same keys go on with it. */
  select: readonly [from: number, to: number];
}

/** The weight of one bare pair of parentheses. */
export const EMPHASIS = 1.1;
/** What a text encoder of CLIP's kind reads at once, without its start and its end. */
export const CHUNK = 75;

const WEIGHT = /:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/;
const TOKEN = /[\p{L}\p{N}\p{M}_]+|[^\p{L}\p{N}\p{M}_\s]+/gu;

/** All groups in balanced parentheses; those within others come first. */
export function groupsOf(text: string): Group[] {
  const open: number[] = [];
  const groups: Group[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\") {
      at += 1;
    } else if (text[at] === "(") {
      open.push(at);
    } else if (text[at] === ")") {
      const from = open.pop();
      if (from !== undefined) {
        groups.push(group(text, from, at + 1));
      }
    }
  }
  return groups;
}

function group(text: string, from: number, to: number): Group {
  const written = WEIGHT.exec(text.slice(from + 1, to - 1));
  const weight = written && written.index > 0 ? Number(written[1]) : null;
  const end = weight === null || !written ? to - 1 : from + 1 + written.index;
  return { from, to, inner: [from + 1, end], weight: weight ?? EMPHASIS };
}

/** What is to be shown in its own way, in the order of the text. */
export function marksOf(text: string): Mark[] {
  const marks: Mark[] = [];
  for (const { from, to, inner, weight } of groupsOf(text)) {
    const [begin, end] = inner;
    marks.push({ from, to: begin, kind: "mark" });
    if (end > begin) {
      marks.push({ from: begin, to: end, kind: weight < 1 ? "less" : "more" });
    }
    if (end < to - 1) {
      marks.push({ from: end, to: to - 1, kind: "weight" });
    }
    marks.push({ from: to - 1, to, kind: "mark" });
  }
  for (const { index, 0: found } of text.matchAll(/(?<=^|[\s(])embedding:[^\s,()]+/g)) {
    marks.push({ from: index, to: index + found.length, kind: "embedding" });
  }
  for (const { index, 0: found } of text.matchAll(/\\.|[{}|]|__\w+?__/g)) {
    const kind = found.startsWith("\\") ? "mark" : "choice";
    marks.push({ from: index, to: index + found.length, kind });
  }
  return marks.sort((a, b) => a.from - b.from || b.to - a.to);
}

/** The words that a model with this vocabulary does not know. */
export function unknownIn(text: string, vocabulary: ReadonlySet<string>): Mark[] {
  return [...plain(text).matchAll(TOKEN)].flatMap(({ index, 0: word }) =>
    vocabulary.has(word.toLowerCase()) || !/\p{L}/u.test(word)
      ? []
      : [{ from: index, to: index + word.length, kind: "unknown" as const }],
  );
}

/** The text with blanks in the place of markup, so that places stay the same. */
function plain(text: string): string {
  const marks = marksOf(text).filter(({ kind }) => kind !== "more" && kind !== "less");
  const blank = (sign: string, at: number) => (covered(marks, at) ? " " : sign);
  return marks.length === 0 ? text : text.split("").map(blank).join("");
}

function covered(marks: readonly Mark[], at: number): boolean {
  return marks.some(({ from, to }) => from <= at && at < to);
}

/** How many tokens a prompt has: one for each word and sign, and one for each learnt word. */
export function tokensOf(text: string): number {
  const learnt = marksOf(text).filter(({ kind }) => kind === "embedding").length;
  return (plain(text).match(TOKEN)?.length ?? 0) + learnt;
}

/** Weigh what is chosen, or the group or word at the cursor, heavier or lighter. */
export function reweighted(text: string, from: number, to: number, by: number): Edit | undefined {
  const chosen = from === to ? wordAt(text, from) : trimmed(text, from, to);
  const around = groupsOf(text).find((each) => {
    const [begin, end] = each.inner;
    const whole = chosen && chosen[0] <= begin && chosen[1] >= end;
    return each.from <= from && to <= each.to && (from === to || whole);
  });
  if (around) {
    const [begin, end] = around.inner;
    return weighed(text.slice(begin, end), around.from, around.to, around.weight + by);
  }
  return chosen && weighed(text.slice(...chosen), chosen[0], chosen[1], 1 + by);
}

function weighed(words: string, from: number, to: number, weight: number): Edit {
  const rounded = Math.max(0, Math.round(weight * 100) / 100);
  if (rounded === 1) {
    return { from, to, insert: words, select: [from, from + words.length] };
  }
  const insert = `(${words}:${rounded})`;
  return { from, to, insert, select: [from + 1, from + 1 + words.length] };
}

function wordAt(text: string, at: number): readonly [number, number] | undefined {
  const before = /[^\s,.;(){}|]*$/.exec(text.slice(0, at))?.[0].length ?? 0;
  const after = /^[^\s,.;(){}|]*/.exec(text.slice(at))?.[0].length ?? 0;
  return before + after > 0 ? [at - before, at + after] : undefined;
}

function trimmed(text: string, from: number, to: number): readonly [number, number] | undefined {
  const words = text.slice(from, to);
  const begin = from + (words.length - words.trimStart().length);
  const end = to - (words.length - words.trimEnd().length);
  return end > begin ? [begin, end] : undefined;
}
