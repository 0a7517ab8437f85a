/** How the page looks and in which language it speaks, remembered in this browser. */

import { type ReactNode, useId } from "react";
import { useStore } from "zustand";
import {
  CONTRASTS,
  type Contrast,
  lookStore,
  setContrast,
  setTheme,
  THEMES,
  type Theme,
} from "@/app/theme";
import { useView, useWorkbench } from "@/app/workbench";
import styles from "@/panels/settings.module.css";
import { LANGUAGES, type Language, languageStore, setLanguage, t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";

export function Settings() {
  const { view } = useWorkbench();
  if (!useView((state) => state.settingsOpen)) {
    return null;
  }
  return (
    <Dialog title={t.settings.title} onClose={() => view.setState({ settingsOpen: false })}>
      <Page />
    </Dialog>
  );
}

function Page() {
  const { runs } = useWorkbench();
  const { theme, contrast } = useStore(lookStore);
  const { language } = useStore(languageStore);
  const speak = (next: Language) => {
    setLanguage(next).catch((cause: unknown) =>
      runs.state.setState({ notice: t.settings.unspoken(String(cause)) }),
    );
  };
  return (
    <div className={styles.settings}>
      <Setting label={t.settings.language}>
        {(id) => (
          <select
            id={id}
            value={language}
            onChange={(event) => speak(event.target.value as Language)}
          >
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Setting>
      <Setting label={t.settings.theme}>
        {(id) => (
          <select id={id} value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
            {THEMES.map((each) => (
              <option key={each} value={each}>
                {t.settings.themes[each]}
              </option>
            ))}
          </select>
        )}
      </Setting>
      <Setting label={t.settings.contrast}>
        {(id) => (
          <select
            id={id}
            value={contrast}
            onChange={(event) => setContrast(event.target.value as Contrast)}
          >
            {CONTRASTS.map((each) => (
              <option key={each} value={each}>
                {t.settings.contrasts[each]}
              </option>
            ))}
          </select>
        )}
      </Setting>
    </div>
  );
}

function Setting({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  );
}
