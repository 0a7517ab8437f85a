/** Dark or light: what the system says, until a person says otherwise. */

import { createStore } from "zustand/vanilla";

export type Theme = "system" | "light" | "dark";

const KEY = "safelight.theme";

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

function show(theme: Theme): void {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
}

export const themeStore = createStore<{ theme: Theme }>(() => ({ theme: "system" }));

/** Show the theme that was chosen last time. */
export function startTheme(): void {
  const theme = stored();
  show(theme);
  themeStore.setState({ theme });
}

/** Choose a theme for good. */
export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  show(theme);
  themeStore.setState({ theme });
}
