// @vitest-environment happy-dom
import { afterEach, expect, test } from "vitest";
import { de } from "@/strings/de";
import { en } from "@/strings/en";
import { LANGUAGES, languageStore, setLanguage, startLanguage, t } from "@/strings/strings";

afterEach(async () => {
  localStorage.clear();
  await setLanguage("en");
  localStorage.clear();
});

test("a chosen language is spoken at once and remembered", async () => {
  await setLanguage("de");
  expect(t.actions.run).toBe("Ausführen");
  expect(document.documentElement.lang).toBe("de");
  await setLanguage("en");
  localStorage.setItem("safelight.language", "de");
  await startLanguage();
  expect(languageStore.getState().language).toBe("de");
});

test("what is stored but unknown falls back", async () => {
  localStorage.setItem("safelight.language", "constructor");
  await startLanguage();
  expect(t).toBe(en);
});

test("each language is called what it calls itself", () => {
  expect(LANGUAGES).toEqual({ en: en.language, de: de.language });
});

/** All plain texts, by the path of their keys. */
function texts(part: object, path = ""): [string, string][] {
  return Object.entries(part).flatMap(([key, value]: [string, unknown]) => {
    const at = `${path}.${key}`;
    return typeof value === "object" && value !== null
      ? texts(value, at)
      : [[at, typeof value === "string" ? value : ""] as [string, string]];
  });
}

test("no German text was left empty or forgotten in English", () => {
  const english = new Map(texts(en));
  const untouched = texts(de).filter(
    ([path, text]) => english.get(path) === text && / [a-z]{2,} /.test(text),
  );
  expect(untouched).toEqual([]);
  expect(texts(de).filter(([path, text]) => text === "" && english.get(path) !== "")).toEqual([]);
});
