import { beforeEach, expect, test, vi } from "vitest";
import { createActivity, PAGE, SETTLE_MS } from "@/runtime/activity";
import {
  type JobRecord,
  matching,
  numberAt,
  readQueue,
  readRecords,
  readSettings,
} from "@/runtime/records";
import { pipeline } from "../fixture";

const prompt = {
  "2": { class_type: "Encode", inputs: { text: "a cat", clip: ["1", 1] } },
  "3": { class_type: "Sampler", inputs: { seed: "18446744073709551615", steps: 20 } },
};
const withDocument = { extra_pnginfo: { workflow: pipeline() } };
const item = (id: string, extra: object) => [0, id, prompt, extra, ["5"]];
const image = { filename: "a_00001_.png", subfolder: "", type: "output" };

const history = {
  old: {
    prompt: item("old", {}),
    outputs: { "5": { images: [image] } },
    status: { status_str: "success", messages: [["execution_success", { timestamp: 1000 }]] },
  },
  new: {
    prompt: item("new", withDocument),
    outputs: { "9": null },
    status: { status_str: "error", messages: [["execution_interrupted", { timestamp: 2000 }]] },
  },
};

test("jobs are told by their prompt and their seed, however large", () => {
  const { running, pending, paused } = readQueue(
    {
      queue_running: [item("a", withDocument)],
      queue_pending: [item("b", {}), item("c", {})],
    },
    { paused: true },
  );
  expect(running).toEqual([
    {
      id: "a",
      prompt: "a cat",
      seed: "18446744073709551615",
      workflow: pipeline().id,
      words: expect.any(String),
    },
  ]);
  expect(paused).toBe(true);
  expect(pending.map(({ id, prompt }) => [id, prompt])).toEqual([
    ["b", "a cat"],
    ["c", "a cat"],
  ]);
});

test("the newest record comes first, with its pictures and its time", () => {
  const [first, second] = readRecords(history);
  expect(first).toMatchObject({ id: "new", images: [], at: 2000 });
  expect(second).toMatchObject({ id: "old", images: [{ ...image, node: "5" }], at: 1000 });
});

test("the settings of a job are its document, or else its prompt", () => {
  expect(readSettings(history, "new")).toEqual(pipeline());
  expect(readSettings(history, "old")).toEqual(prompt);
  expect(readSettings({}, "gone")).toBeUndefined();
});

test("records are found by all the words typed, in any order", () => {
  const record = (id: string, words: string): JobRecord => ({
    id,
    words,
    prompt: words,
    seed: null,
    workflow: null,
    images: [],
    at: null,
    trouble: null,
  });
  const records = [record("1", "a red robot at night"), record("2", "a red cat")];
  expect(matching(records, "night RED").map(({ id }) => id)).toEqual(["1"]);
  expect(matching(records, "  ")).toHaveLength(2);
  expect(matching(records, "dog")).toEqual([]);
});

function watched() {
  const asked: string[] = [];
  const activity = createActivity({
    jobs: async () => {
      asked.push("jobs");
      return { running: [], pending: [], paused: false };
    },
    records: async (limit) => {
      asked.push(`records ${limit}`);
      return [];
    },
  });
  return { activity, asked };
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

test("nobody looks, nothing is asked", async () => {
  const { activity, asked } = watched();
  activity.onMessage({ type: "status", data: {} });
  await vi.advanceTimersByTimeAsync(SETTLE_MS * 2);
  expect(asked).toEqual([]);
});

test("a burst of events is one question, and progress is none", async () => {
  const { activity, asked } = watched();
  const stop = activity.watch("queue");
  expect(asked).toEqual(["jobs"]);
  activity.onMessage({ type: "status", data: {} });
  activity.onMessage({ type: "execution_start", data: {} });
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  activity.onMessage({ type: "progress", data: {} });
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  expect(asked).toEqual(["jobs", "jobs"]);
  stop();
  activity.onMessage({ type: "status", data: {} });
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  expect(asked).toHaveLength(2);
});

test("older records are asked for a page at a time", async () => {
  const { activity, asked } = watched();
  activity.watch("history");
  activity.more();
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  expect(asked).toEqual([`records ${PAGE}`, `records ${2 * PAGE}`]);
});

test("a server that does not answer is told, and the next answer takes the word back", async () => {
  let down = true;
  const activity = createActivity({
    jobs: async () => {
      if (down) {
        throw new Error("offline");
      }
      return { running: [], pending: [], paused: false };
    },
    records: async () => [],
  });
  activity.watch("queue");
  await vi.advanceTimersByTimeAsync(0);
  expect(activity.state.getState().error).toBe("offline");
  down = false;
  activity.refresh();
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  expect(activity.state.getState()).toMatchObject({ error: null, known: { queue: true } });
});

test.each([
  [2, 0, -1],
  [0, 2, 3],
  [2, 1, 0.5],
  [0, 1, 1.5],
])("moving the job at %i to %i gives it the number %d", (from, to, number) => {
  const pending = [0, 1, 2].map((each) => ({
    id: String(each),
    number: each,
    prompt: "",
    seed: null,
    workflow: null,
    words: "",
  }));
  expect(numberAt(pending, from, to)).toBe(number);
});

test("what ended badly says why", () => {
  const [cancelled, done] = readRecords(history);
  expect([cancelled?.trouble, done?.trouble]).toEqual(["Cancelled", null]);
});
