/** Dark or light, plain or high contrast: what the system says, until a person says otherwise. */

import { createStore } from "zustand/vanilla";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const CONTRASTS = ["system", "normal", "more"] as const;
export type Contrast = (typeof CONTRASTS)[number];

export interface Look {
  theme: Theme;
  contrast: Contrast;
}

const THEME_KEY = "safelight.theme";
const CONTRAST_KEY = "safelight.contrast";
const WANTS_MORE = "(prefers-contrast: more)";

export const lookStore = createStore<Look>(() => ({ theme: "system", contrast: "system" }));

function stored<T extends string>(key: string, known: readonly T[], standard: T): T {
  const value = localStorage.getItem(key);
  return known.find((each) => each === value) ?? standard;
}

function show({ theme, contrast }: Look): void {
  const { dataset } = document.documentElement;
  if (theme === "system") {
    delete dataset.theme;
  } else {
    dataset.theme = theme;
  }
  const more = contrast === "system" ? matchMedia(WANTS_MORE).matches : contrast === "more";
  if (more) {
    dataset.contrast = "more";
  } else {
    delete dataset.contrast;
  }
}

/** Show the look that was chosen last time, and follow the system where none was. */
export function startTheme(): void {
  lookStore.subscribe(show);
  lookStore.setState({
    theme: stored(THEME_KEY, THEMES, "system"),
    contrast: stored(CONTRAST_KEY, CONTRASTS, "system"),
  });
  matchMedia(WANTS_MORE).addEventListener("change", () => show(lookStore.getState()));
}

/** Choose a theme for good. */
export function setTheme(theme: Theme): void {
  localStorage.setItem(THEME_KEY, theme);
  lookStore.setState({ theme });
}

/** Choose a contrast for good. */
export function setContrast(contrast: Contrast): void {
  localStorage.setItem(CONTRAST_KEY, contrast);
  lookStore.setState({ contrast });
}
