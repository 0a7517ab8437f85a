/**
 * Formulas as they are typed in docstrings, read for typesetting.
 *
 * `sigma_{i+1}`, `x^2` and `sqrt(...)` become signs with places; nothing is computed.
 */

export type Piece =
  | { kind: "text" | "variable" | "sign"; text: string }
  | { kind: "sub" | "sup" | "root"; parts: readonly Piece[] };

const GREEK: Readonly<Record<string, string>> = {
  alpha: "α",
  abar: "ᾱ",
  beta: "β",
  gamma: "γ",
  delta: "δ",
  eps: "ε",
  epsilon: "ε",
  eta: "η",
  theta: "θ",
  lam: "λ",
  lambda: "λ",
  mu: "μ",
  pi: "π",
  phi: "φ",
  psi: "ψ",
  rho: "ρ",
  sigma: "σ",
  sigmas: "σs",
  tau: "τ",
  omega: "ω",
};
const SIGNS: Readonly<Record<string, string>> = {
  "->": "→",
  "<=": "≤",
  ">=": "≥",
  "!=": "≠",
  "*": "·",
  "-": "−",
  "..": "…",
  "...": "…",
};

const TOKEN = /\s+|->|<=|>=|!=|\.{2,3}|d?[A-Za-z]+'?|\d+(?:\.\d+)?|[\s\S]/y;

/** The pieces of one formula. */
export function readFormula(text: string): Piece[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    tokens.push(match[0]);
  }
  return piecesOf(tokens);
}

function piecesOf(tokens: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? "";
    const next = tokens[at + 1];
    if ((token === "_" || token === "^") && next !== undefined && /\S/.test(next)) {
      const end = next === "{" || next === "(" ? closing(tokens, at + 1) : at + 1;
      const inner = next === "{" ? tokens.slice(at + 2, end) : tokens.slice(at + 1, end + 1);
      pieces.push({ kind: token === "_" ? "sub" : "sup", parts: piecesOf(inner) });
      at = end;
    } else if (token === "sqrt" && next === "(") {
      const end = closing(tokens, at + 1);
      pieces.push({ kind: "root", parts: piecesOf(tokens.slice(at + 2, end)) });
      at = end;
    } else {
      pieces.push(pieceOf(token, next));
    }
  }
  return pieces;
}

function pieceOf(token: string, next: string | undefined): Piece {
  const differential = /^d(?=.)/.test(token) ? GREEK[token.slice(1)] : undefined;
  if (differential) {
    return { kind: "variable", text: `d${differential}` };
  }
  const greek = GREEK[token];
  if (greek) {
    return { kind: "variable", text: greek };
  }
  if (/^[A-Za-z]'?$/.test(token) || (/^d[a-z]$/.test(token) && next !== "(")) {
    return { kind: "variable", text: token };
  }
  const sign = SIGNS[token];
  return sign ? { kind: "sign", text: sign } : { kind: "text", text: token };
}

/** Where the bracket that opens at `from` closes, or the end. */
function closing(tokens: readonly string[], from: number): number {
  const open = tokens[from] ?? "";
  const close = open === "{" ? "}" : ")";
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    depth += tokens[at] === open ? 1 : tokens[at] === close ? -1 : 0;
    if (depth === 0) {
      return at;
    }
  }
  return tokens.length;
}
