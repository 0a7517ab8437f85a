import { expect, test } from "vitest";
import type { Json } from "@/document/types";
import { createFavourites, nameOf, SETTING } from "@/runtime/favourites";

const PICTURE = { type: "output", subfolder: "", filename: "a_00001_.png" };

function server(kept: Json, refuses = false) {
  const posted: [string, Json][] = [];
  return {
    posted,
    setting: async () => kept,
    keepSetting: async (name: string, value: Json) => {
      if (refuses) {
        throw new Error("the disk is full");
      }
      posted.push([name, value]);
    },
  };
}

test("a favourite is kept on the server, and let go again", async () => {
  const api = server(null);
  const favourites = createFavourites(api);
  await favourites.toggle(PICTURE);
  await favourites.toggle(PICTURE);
  expect(api.posted).toEqual([
    [SETTING, ["output/a_00001_.png"]],
    [SETTING, []],
  ]);
});

test("what was kept is found again, whatever else stands there", async () => {
  const favourites = createFavourites(server(["output/a_00001_.png", 3]));
  await favourites.load();
  expect(favourites.state.getState().names).toEqual(new Set([nameOf(PICTURE)]));
});

test("a favourite that the server does not keep is none", async () => {
  const favourites = createFavourites(server(null, true));
  await expect(favourites.toggle(PICTURE)).rejects.toThrow("the disk is full");
  expect(favourites.state.getState().names).toEqual(new Set());
});

test("pictures of the same name in other folders are other pictures", () => {
  expect(nameOf({ ...PICTURE, subfolder: "cats" })).toBe("output/cats/a_00001_.png");
});
