/**
 * Ranking for the add-node search and the palette of commands.
 *
 * Every word typed must begin a word of the title, the class name or the category, or occur inside
 * one.  Beginnings count more than insides, titles more than class names, categories least.
 */

import type { NodeSpec } from "@/document/schema";

interface Field {
  words: readonly string[];
  whole: string;
  weight: number;
}

const EXACT = 100;
const PREFIX = 60;
const WORD_START = 40;
const INITIALS = 30;
const INSIDE = 10;

const CATEGORY_WEIGHT = 1;

/** The classes that match, best first; all of them, by category and title, for an empty query. */
export function search(specs: readonly NodeSpec[], query: string): NodeSpec[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return [...specs].sort(
      (a, b) => a.category.localeCompare(b.category) || a.title.localeCompare(b.title),
    );
  }
  return ranked(specs, words, (spec) => [
    field(spec.title, 3),
    field(spec.name, 2),
    field(spec.category, CATEGORY_WEIGHT),
  ]);
}

/** The commands, or whatever else has a title and a group, that match; best first. */
export function searchTitles<T extends { title: string; group: string }>(
  items: readonly T[],
  query: string,
): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0
    ? [...items]
    : ranked(items, words, ({ title, group }) => [field(title, 3), field(group, CATEGORY_WEIGHT)]);
}

function ranked<T extends { title: string }>(
  items: readonly T[],
  words: readonly string[],
  fieldsOf: (item: T) => Field[],
): T[] {
  return items
    .map((item) => ({ item, score: score(fieldsOf(item), words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.item.title.localeCompare(b.item.title))
    .map(({ item }) => item);
}

function score(fields: readonly Field[], query: readonly string[]): number {
  let total = 0;
  for (const word of query) {
    const best = Math.max(...fields.map((f) => f.weight * match(f, word)));
    if (best === 0) {
      return 0;
    }
    total += best;
  }
  return total;
}

function field(text: string, weight: number): Field {
  const spaced = text
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  const words = spaced
    .toLowerCase()
    .split(/[\s_/()-]+/)
    .filter(Boolean);
  return { words, whole: words.join(" "), weight };
}

function match({ words, whole, weight }: Field, query: string): number {
  if (whole === query) {
    return EXACT;
  }
  if (whole.startsWith(query)) {
    return PREFIX;
  }
  if (words.some((word) => word.startsWith(query))) {
    return WORD_START;
  }
  if (weight === CATEGORY_WEIGHT) {
    return 0; // letters from the middle of a menu's name say nothing about a node
  }
  const initials = words.map((word) => word.charAt(0)).join("");
  if (query.length > 1 && initials.startsWith(query)) {
    return INITIALS;
  }
  return words.some((word) => word.includes(query)) || words.join("").includes(query) ? INSIDE : 0;
}
