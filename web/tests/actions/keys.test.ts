// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { ACTIONS } from "@/actions/actions";
import { keyName } from "@/actions/keys";

const press = (
  key: string,
  held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {},
) => keyName({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });

test("keys are named as the list of actions writes them", () => {
  expect(press("z", { ctrlKey: true })).toBe("Mod+Z");
  expect(press("Z", { metaKey: true, shiftKey: true })).toBe("Mod+Shift+Z");
  expect(press(" ")).toBe("Space");
  expect(press("?", { shiftKey: true })).toBe("?");
  expect(press("Enter", { ctrlKey: true, altKey: true })).toBe("Mod+Alt+Enter");
});

test("no two actions share a key or a name", () => {
  const keys = ACTIONS.flatMap((action) => action.keys);
  expect(new Set(keys).size).toBe(keys.length);
  expect(new Set(ACTIONS.map(({ id }) => id)).size).toBe(ACTIONS.length);
});
