/**
 * The language of the page.
 *
 * `t` holds every string of the chosen language, so `t.actions.run` is checked by the compiler.  Read
 * it where a text is shown, never while a module loads: a person may choose another language.
 */

import { createStore } from "zustand/vanilla";
import { en, type Strings } from "@/strings/en";

export type { Strings };

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "safelight.language";

const FETCH: Readonly<Record<Language, () => Promise<Strings>>> = {
  en: async () => en,
  de: async () => (await import("@/strings/de")).de,
};

/** What the page says. */
export let t: Strings = en;

export const languageStore = createStore<{ language: Language }>(() => ({ language: "en" }));

function isLanguage(name: string | null | undefined): name is Language {
  return name !== null && name !== undefined && Object.hasOwn(LANGUAGES, name);
}

/** The language that was chosen last time, or else the first of the browser's that there is. */
function wanted(): Language {
  const stored = localStorage.getItem(KEY);
  if (isLanguage(stored)) {
    return stored;
  }
  return navigator.languages.map((tag) => tag.split("-")[0]).find(isLanguage) ?? "en";
}

async function speak(language: Language): Promise<void> {
  t = await FETCH[language]();
  document.documentElement.lang = language;
  languageStore.setState({ language });
}

/** Load the language of this person before anything is shown. */
export async function startLanguage(): Promise<void> {
  await speak(wanted());
}

/** Choose a language for good. */
export async function setLanguage(language: Language): Promise<void> {
  await speak(language);
  localStorage.setItem(KEY, language);
}
