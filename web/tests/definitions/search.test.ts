import { expect, test } from "vitest";
import { search, searchTitles } from "@/definitions/search";
import { SCHEMA } from "../fixture";

const specs = Object.values(SCHEMA.nodes);
const titles = (query: string) => search(specs, query).map(({ title }) => title);

test("a word's beginning beats its inside", () => {
  expect(titles("en")[0]).toBe("Encode prompt");
  expect(titles("co").slice(0, 2)).toEqual(["Encode prompt", "Decode"]);
  expect(titles("sa")[0]).toBe("Sample");
  expect(titles("image")[0]).toBe("Save image");
});

test("the class name and the category are searched too, after the title", () => {
  expect(titles("sampler")).toEqual(["Sample"]);
  expect(titles("latent")).toEqual(["Add noise", "Decode"]);
});

test("every word typed must match", () => {
  expect(titles("load check")).toEqual(["Load checkpoint"]);
  expect(titles("load image")).toEqual([]);
});

test("initials find a title", () => {
  expect(titles("lc")).toEqual(["Load checkpoint"]);
});

test("nothing typed lists everything by category", () => {
  expect(titles("")).toHaveLength(specs.length);
  expect(titles(" ")[0]).toBe("Encode prompt");
});

test("commands are found by their words, in the order of the list until something is typed", () => {
  const items = [
    { title: "Undo", group: "Edit" },
    { title: "Align left edges", group: "Arrange" },
    { title: "Tidy up", group: "Arrange" },
  ];
  expect(searchTitles(items, "")).toEqual(items);
  expect(searchTitles(items, "arr").map(({ title }) => title)).toEqual([
    "Align left edges",
    "Tidy up",
  ]);
  expect(searchTitles(items, "left al").map(({ title }) => title)).toEqual(["Align left edges"]);
});
