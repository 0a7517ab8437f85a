/** Python in colours: the text of a file as lines of tokens. */

export type Kind =
  | "plain"
  | "keyword"
  | "string"
  | "number"
  | "comment"
  | "shape"
  | "decorator"
  | "definition"
  | "name";

export interface Token {
  text: string;
  kind: Kind;
}

const KEYWORDS = new Set(
  `and as assert async await break case class continue def del elif else except finally for from
   global if import in is lambda match None nonlocal not or pass raise return self True False try
   while with yield`.split(/\s+/),
);

const PATTERN = new RegExp(
  [
    String.raw`(?<string>[rRbBfFuU]{0,2}(?:"""[\s\S]*?(?:"""|(?![\s\S]))|'''[\s\S]*?(?:'''|(?![\s\S]))|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))`,
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<decorator>(?<=^[ \t]*)@[\w.]+)`,
    String.raw`(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b)`,
    String.raw`(?<name>[A-Za-z_]\w*)`,
  ].join("|"),
  "gm",
);

/** A comment that tells the axes of a tensor, and nothing else: `# B C H W`. */
const SHAPE = /^# *(?:(?:[A-Z]\w{0,3}|\d+|[hwltdn]|[A-Z]?\d?[hwHW])(?:[ ,*x]+|$))+(?:$| )/;

/** The lines of a file, each as the tokens that make it up. */
export function highlight(text: string): Token[][] {
  const lines: Token[][] = [[]];
  const put = (part: string, kind: Kind) => {
    const [first = "", ...rest] = part.split("\n");
    push(lines.at(-1) ?? [], first, kind);
    for (const line of rest) {
      lines.push(line ? [{ text: line, kind }] : []);
    }
  };
  let at = 0;
  let before = "";
  for (const match of text.matchAll(PATTERN)) {
    put(text.slice(at, match.index), "plain");
    const [found] = match;
    put(found, kindOf(match.groups ?? {}, before));
    before = match.groups?.name ?? "";
    at = match.index + found.length;
  }
  put(text.slice(at), "plain");
  return lines;
}

function push(line: Token[], text: string, kind: Kind): void {
  if (text) {
    line.push({ text, kind });
  }
}

function kindOf(groups: Record<string, string | undefined>, before: string): Kind {
  const { name, comment, string, number } = groups;
  if (name !== undefined) {
    if (before === "def" || before === "class") {
      return "definition";
    }
    return KEYWORDS.has(name) ? "keyword" : "name";
  }
  if (comment !== undefined) {
    return SHAPE.test(comment) ? "shape" : "comment";
  }
  return string !== undefined ? "string" : number !== undefined ? "number" : "decorator";
}

/** The docstring at the head of a file, and the line (from 0) on which the code goes on. */
export function head(text: string): { doc: string; line: number } {
  const found = /^\s*[rR]?"""([\s\S]*?)"""[ \t]*\n?/.exec(text);
  return found
    ? { doc: found[1] ?? "", line: found[0].split("\n").length - 1 }
    : { doc: "", line: 0 };
}
