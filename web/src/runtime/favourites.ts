/** Pictures that a person likes, kept on the server among the settings, so that every device knows them. */

import { createStore, type StoreApi } from "zustand/vanilla";
import type { Api } from "@/runtime/api";
import type { File } from "@/runtime/picture";

/** The name of the setting that holds them. */
export const SETTING = "safelight.favourites";

export interface Favourites {
  /** The names of the favourites, see `nameOf`; null until they are known. */
  state: StoreApi<{ names: ReadonlySet<string> | null }>;
  /** Fetch them, once. */
  load: () => Promise<void>;
  /** Make a picture a favourite, or no longer; throws if the server did not keep it. */
  toggle: (picture: File) => Promise<void>;
}

/** What a picture is called among the favourites. */
export function nameOf({ type, subfolder, filename }: File): string {
  return [type, subfolder, filename].filter(Boolean).join("/");
}

/** Make the store of one page. */
export function createFavourites(api: Pick<Api, "setting" | "keepSetting">): Favourites {
  const state = createStore<{ names: ReadonlySet<string> | null }>(() => ({ names: null }));
  let loading: Promise<void> | undefined;

  const fetched = async () => {
    const kept = await api.setting(SETTING);
    const names = Array.isArray(kept) ? kept.filter((name) => typeof name === "string") : [];
    state.setState({ names: new Set(names) });
  };
  const load = () => {
    loading ??= fetched().catch((cause: unknown) => {
      loading = undefined; // the next look tries again
      throw cause;
    });
    return loading;
  };

  return {
    state,
    load,
    toggle: async (picture) => {
      await load();
      const before = state.getState().names ?? new Set();
      const name = nameOf(picture);
      const after = new Set(before);
      if (!after.delete(name)) {
        after.add(name);
      }
      state.setState({ names: after });
      try {
        await api.keepSetting(SETTING, [...after]);
      } catch (cause) {
        state.setState({ names: before });
        throw cause;
      }
    },
  };
}
