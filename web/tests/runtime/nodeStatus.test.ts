import { beforeEach, expect, test, vi } from "vitest";
import { createNodeStatuses, FLUSH_MS, IDLE } from "@/runtime/nodeStatus";

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

test("a thousand changes in a second are told at most ten times, and only to their node", () => {
  const statuses = createNodeStatuses();
  const heard = vi.fn();
  const other = vi.fn();
  statuses.subscribe("3", heard);
  statuses.subscribe("4", other);
  for (let step = 0; step < 1000; step += 1) {
    statuses.set("3", { value: step });
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(FLUSH_MS);
  expect(heard.mock.calls.length).toBeLessThanOrEqual(11);
  expect(other).not.toHaveBeenCalled();
  expect(statuses.get("3").value).toBe(999);
});

test("a listener that left is not called", () => {
  const statuses = createNodeStatuses();
  const heard = vi.fn();
  statuses.subscribe("3", heard)();
  statuses.set("3", { value: 1 });
  vi.advanceTimersByTime(FLUSH_MS);
  expect(heard).not.toHaveBeenCalled();
});

test("what is shown changes only when listeners are told", () => {
  const statuses = createNodeStatuses();
  statuses.set("3", { value: 1 });
  expect(statuses.get("3").value).toBe(0);
  vi.advanceTimersByTime(FLUSH_MS);
  expect(statuses.get("3").value).toBe(1);
});

test("what the parts of a subgraph do, show and fail at is gathered on its instance", () => {
  const statuses = createNodeStatuses();
  statuses.set("12:3", { stage: "done", seconds: 2, pictures: [] });
  statuses.set("12:4:5", { stage: "running", value: 3, max: 20 });
  vi.advanceTimersByTime(FLUSH_MS);
  expect(statuses.get("12")).toMatchObject({ stage: "running", value: 3, max: 20, seconds: 2 });
  expect(statuses.get("12:4")).toMatchObject({ stage: "running", value: 3, max: 20 });
  statuses.set("12:4:5", { stage: "done", seconds: 1 });
  statuses.set("12:3", { inputErrors: { model: "Wants a model." } });
  vi.advanceTimersByTime(FLUSH_MS);
  expect(statuses.get("12")).toMatchObject({ stage: "done", seconds: 3, error: "Wants a model." });
  statuses.clear();
  vi.advanceTimersByTime(FLUSH_MS);
  expect(statuses.get("12")).toBe(IDLE);
});
