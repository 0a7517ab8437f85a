import { expect, test } from "vitest";
import { type Piece, readFormula } from "@/source/math";
import { blocksOf, partsOf } from "@/source/prose";
import { head, highlight } from "@/source/python";

const FILE = `"""Guidance: asking twice.

    D = U + w (C - U)      the line above
"""

@cache
def scale(x: float) -> str:
    """Two
    lines."""
    y = "a # b" + f'{x}'  # B C H W
    return 1.5e-3  # why not
`;

test("highlighting loses nothing, whatever the text is", () => {
  for (const text of [FILE, "", "\n\n", '"""open', "x = 'a\n", "\u{1f600} = 1"]) {
    const lines = highlight(text).map((line) => line.map((token) => token.text).join(""));
    expect(lines.join("\n")).toBe(text);
  }
});

test("every token has the kind that a reader sees", () => {
  const kinds = new Map(
    highlight(FILE)
      .flat()
      .map(({ text, kind }) => [text, kind]),
  );
  expect(kinds.get("@cache")).toBe("decorator");
  expect(kinds.get("def")).toBe("keyword");
  expect(kinds.get("scale")).toBe("definition");
  expect(kinds.get('"a # b"')).toBe("string");
  expect(kinds.get('    lines."""')).toBe("string");
  expect(kinds.get("# B C H W")).toBe("shape");
  expect(kinds.get("# why not")).toBe("comment");
  expect(kinds.get("1.5e-3")).toBe("number");
});

test("the docstring at the head of a file is told apart from its code", () => {
  const { doc, line } = head(FILE);
  expect(doc).toContain("D = U + w (C - U)");
  expect(FILE.split("\n").slice(line).join("\n")).toBe(FILE.slice(FILE.indexOf("\n@cache")));
  expect(head("import math\n")).toEqual({ doc: "", line: 0 });
});

test("indented lines of a docstring are formulas with words at their right", () => {
  expect(blocksOf(head(FILE).doc)).toEqual([
    { kind: "paragraph", text: "Guidance: asking twice." },
    {
      kind: "formulas",
      rows: [
        [
          { text: "D = U + w (C - U)", formula: true },
          { text: "the line above", formula: false },
        ],
      ],
    },
  ]);
});

test.each([
  ["what is the noise n?", false],
  ["x_i -> x_{i+1}", true],
  ['"eps"', false],
  ["sigma_t = sqrt((1 - abar_t) / abar_t)", true],
  ["(variance preserving)", false],
  ["look around within a step", false],
])("whether %s is a formula: %s", (text, formula) => {
  expect(blocksOf(`    ${text}`)).toEqual([{ kind: "formulas", rows: [[{ text, formula }]] }]);
});

test("sentences know code and quantities from words", () => {
  const kinds = partsOf("Follow `d` from sigma_max to x_{i+1}, a T in sigma.").map(
    ({ kind, text }) => (kind === "words" ? "" : `${kind} ${text}`),
  );
  expect(kinds.filter(Boolean)).toEqual([
    "code d",
    "formula sigma_max",
    "formula x_{i+1}",
    "formula sigma",
  ]);
});

/** A formula in one line again, with brackets for places. */
function plain(pieces: readonly Piece[]): string {
  return pieces
    .map((piece) => ("parts" in piece ? `${piece.kind}[${plain(piece.parts)}]` : piece.text))
    .join("");
}

test.each([
  ["sigma_{i+1} <= x_0", "σsub[i+1] ≤ xsub[0]"],
  ["sqrt(1 + sigma^2)", "root[1 + σsup[2]]"],
  ["Q K^T / sqrt(d)", "Q Ksup[T] / root[d]"],
  ["dx/dsigma = d(x, sigma)", "dx/dσ = d(x, σ)"],
  ["x_i -> x_{i+1}", "xsub[i] → xsub[i+1]"],
  ["(unclosed sqrt(x", "(unclosed root[x]"],
])("%s is typeset", (formula, expected) => {
  expect(plain(readFormula(formula))).toBe(expected);
});
