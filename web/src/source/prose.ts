/** A docstring as paragraphs and formulas: what is indented is a table of formulas and words. */

export interface Cell {
  text: string;
  /** Typeset it; otherwise it is words. */
  formula: boolean;
}

export type Row = readonly Cell[];

export type Block =
  | { kind: "paragraph"; text: string }
  | { kind: "formulas"; rows: readonly Row[] };

/** The blocks of a docstring, in order. */
export function blocksOf(doc: string): Block[] {
  const chunks = doc.split(/\n[ \t]*\n/);
  return chunks.flatMap((chunk): Block[] => {
    const lines = chunk.split("\n").filter((line) => line.trim());
    if (lines.length === 0) {
      return [];
    }
    return lines.every((line) => /^ {4}/.test(line))
      ? [{ kind: "formulas", rows: lines.map(rowOf) }]
      : [{ kind: "paragraph", text: lines.map((line) => line.trim()).join(" ") }];
  });
}

function rowOf(line: string): Row {
  return line
    .trim()
    .split(/ {2,}/)
    .map((text) => ({ text, formula: isFormula(text) }));
}

const SIGN = /[=^_<>+]|->|\(.*\)/;
const TWO_WORDS =
  /(?:^| )(?!sigma|alpha|beta|eps)[a-z]{2,}'?[a-z]* (?!sigma|alpha|beta|eps|is )[a-z]{2,}/;

function isFormula(text: string): boolean {
  return SIGN.test(text) && !TWO_WORDS.test(text) && !/^["'(]/.test(text);
}

const INLINE =
  /`+([^`]+)`+|\b((?:[A-Za-z]|abar|alpha|beta|eps|gamma|lam|mu|rho|sigma|tau)(?:_\{[^}]+\}|_[A-Za-z0-9]{1,3}\b|\^(?:\d+|T\b))+|(?:abar|alpha|beta|gamma|sigma|tau|theta)\b(?![_a-z(]))/g;

export interface Part {
  kind: "words" | "code" | "formula";
  text: string;
}

/** A sentence as words, code between backquotes, and names of quantities. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push({ kind: "words", text: text.slice(at, match.index) });
    const [all, code, formula] = match;
    parts.push(
      code === undefined ? { kind: "formula", text: formula ?? "" } : { kind: "code", text: code },
    );
    at = match.index + all.length;
  }
  return [...parts, { kind: "words", text: text.slice(at) }];
}
