import { expect, test } from "vitest";
import { groupsOf, marksOf, reweighted, tokensOf, unknownIn } from "@/prompt/language";

/** The text after the edit, with the selection in brackets. */
function after(text: string, from: number, to: number, by: number): string | undefined {
  const edit = reweighted(text, from, to, by);
  if (!edit) {
    return undefined;
  }
  const done = text.slice(0, edit.from) + edit.insert + text.slice(edit.to);
  const [begin, end] = edit.select;
  return `${done.slice(0, begin)}[${done.slice(begin, end)}]${done.slice(end)}`;
}

test.each([
  ["the word at the cursor", "a red cat", 3, 3, 0.05, "a ([red]:1.05) cat"],
  ["the group at the cursor", "a (red:1.05) cat", 4, 4, 0.05, "a ([red]:1.1) cat"],
  ["the chosen words, without blanks", "a red cat sits", 1, 10, -0.05, "a ([red cat]:0.95) sits"],
  ["a bare group", "(red)", 2, 2, 0.05, "([red]:1.15)"],
  ["the innermost group", "(a (b:1.5) c)", 4, 4, 0.05, "(a ([b]:1.55) c)"],
  ["the words of a group, chosen whole", "(red cat:1.2)", 1, 8, 0.1, "([red cat]:1.3)"],
  ["back to no weight at all", "a (red:1.05) cat", 4, 4, -0.05, "a [red] cat"],
  ["never below nothing", "(red:0.02)", 2, 2, -0.05, "([red]:0)"],
])("a weight is changed for %s", (_, text, from, to, by, wanted) => {
  expect(after(text, from, to, by)).toBe(wanted);
});

test("where there is no word, nothing is weighed", () => {
  expect(reweighted("a  b", 2, 2, 0.05)).toBeUndefined();
  expect(reweighted("a   b", 1, 3, 0.05)).toBeUndefined();
});

test("up and down again gives back the text", () => {
  const edit = reweighted("a red cat", 3, 3, 0.05);
  const heavier = `a ${edit?.insert} cat`;
  expect(after(heavier, ...(edit?.select ?? [0, 0]), -0.05)).toBe("a [red] cat");
});

test("groups are those that are balanced and not escaped", () => {
  expect(groupsOf("\\(no\\) (yes:1.2) (open").map(({ weight }) => weight)).toEqual([1.2]);
  expect(groupsOf("(:1.2)")[0]?.weight).toBe(1.1);
});

test("markup is shown for what it is", () => {
  const text = "(red:1.2), embedding:snail {a|b} (pale:0.8)";
  const shown = marksOf(text).map(({ from, to, kind }) => [kind, text.slice(from, to)]);
  expect(shown).toEqual([
    ["mark", "("],
    ["more", "red"],
    ["weight", ":1.2"],
    ["mark", ")"],
    ["embedding", "embedding:snail"],
    ["choice", "{"],
    ["choice", "|"],
    ["choice", "}"],
    ["mark", "("],
    ["less", "pale"],
    ["weight", ":0.8"],
    ["mark", ")"],
  ]);
});

test("tokens are words and signs; markup has none, a learnt word one", () => {
  expect(tokensOf("a cat, at night")).toBe(5);
  expect(tokensOf("(a:1.2) ((cat))")).toBe(2);
  expect(tokensOf("a embedding:safelight-snail, small")).toBe(4);
  expect(tokensOf("  ")).toBe(0);
});

test("words that the model does not know are found, markup is not", () => {
  const known = new Set(["a", "cat", ","]);
  const text = "a (zebra:1.2), CAT embedding:x 12";
  expect(unknownIn(text, known).map(({ from, to }) => text.slice(from, to))).toEqual(["zebra"]);
});
