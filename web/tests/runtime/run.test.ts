// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { createWorkbench } from "@/app/workbench";
import { remove } from "@/document/commands";
import type { Workflow } from "@/document/types";
import type { Api, HistoryEntry, Refusal } from "@/runtime/api";
import { FLUSH_MS } from "@/runtime/nodeStatus";
import { pipeline, record, SCHEMA } from "../fixture";

interface Posted {
  workflow: Workflow;
  job: string;
  targets?: readonly string[];
}

function scripted(overrides: Partial<Api> = {}) {
  const posted: Posted[] = [];
  const told: string[] = [];
  const api: Api = {
    schema: async () => SCHEMA,
    submit: async (workflow, job, _client, targets) => {
      posted.push({ workflow, job, ...(targets ? { targets } : {}) });
      return undefined;
    },
    interrupt: async (job) => void told.push(`interrupt ${job}`),
    dequeue: async (jobs) => void told.push(`dequeue ${jobs.join()}`),
    queue: async () => ({ running: [], pending: [] }),
    history: async () => undefined,
    jobs: async () => ({ running: [], pending: [], paused: false }),
    pause: async () => undefined,
    move: async () => undefined,
    retry: async () => undefined,
    clearQueue: async () => undefined,
    records: async () => [],
    settings: async () => undefined,
    convert: async (workflow) => ({ workflow, guesses: [] }),
    embeddings: async () => [],
    models: async () => [],
    metadata: async () => null,
    setting: async () => null,
    keepSetting: async () => undefined,
    upload: async () => "x.png",
    uploadMask: async () => "masks/x.png",
    source: async () => ({ file: "", line: 1, course: [] }),
    sourceFile: async () => ({ file: "", text: "", names: {} }),
    ...overrides,
  };
  const bench = createWorkbench(api, SCHEMA, pipeline(), "client");
  const send = (type: string, data: Record<string, unknown>) =>
    bench.runs.onMessage({ type, data });
  const status = (id: string) => {
    vi.advanceTimersByTime(FLUSH_MS);
    return bench.statuses.get(id);
  };
  return { bench, posted, told, send, status, state: () => bench.runs.state.getState() };
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

const picture = { filename: "a_00001_.png", subfolder: "", type: "output" };

test("a run goes through its nodes, shows its picture and ends", async () => {
  const { bench, posted, send, status, state } = scripted();
  await bench.runs.run();
  const prompt_id = posted[0]?.job;
  expect(state().jobs.map(({ running }) => running)).toEqual([false]);
  send("execution_start", { prompt_id, timestamp: 1 });
  send("execution_cached", { prompt_id, nodes: ["1"], timestamp: 1 });
  expect(status("1").stage).toBe("reused");
  send("executing", { node: "3", display_node: "3", prompt_id });
  send("progress", { value: 5, max: 20, prompt_id, node: "3" });
  expect(status("3")).toMatchObject({ stage: "running", value: 5, max: 20 });
  expect(state().node).toBe("3");
  send("executing", { node: "5", display_node: "5", prompt_id });
  expect(status("3").stage).toBe("done");
  send("executed", { node: "5", display_node: "5", output: { images: [picture] }, prompt_id });
  send("execution_success", { prompt_id, timestamp: 2 });
  send("executing", { node: null, prompt_id });
  expect(status("5").pictures).toEqual([{ ...picture, node: "5", job: prompt_id, seed: "7" }]);
  expect(state()).toMatchObject({
    jobs: [],
    node: null,
    notice: expect.stringMatching(/^Done in /),
  });
});

test("the server's own times win over the page's clock", async () => {
  const { bench, posted, send, status } = scripted();
  await bench.runs.run();
  const prompt_id = posted[0]?.job;
  send("execution_start", { prompt_id });
  send("executing", { node: "3", prompt_id });
  send("progress_state", { prompt_id, nodes: { "3": { state: "finished", seconds: 4.25 } } });
  send("executing", { node: "4", prompt_id });
  expect(status("3").seconds).toBe(4.25);
});

test("events of other people's runs are not ours", async () => {
  const { bench, send, status, state } = scripted();
  await bench.runs.run();
  send("executing", { node: "3", prompt_id: "somebody else" });
  send("execution_error", { node_id: "3", prompt_id: "somebody else", exception_message: "no" });
  expect(status("3").stage).toBe("idle");
  expect(state().problems).toEqual([]);
});

test("a seed that is drawn for each run is in the document before it is posted", async () => {
  const { bench, posted } = scripted();
  const sampler = record("Sampler", { ...pipeline().nodes["3"]?.inputs });
  bench.document.note({
    label: "",
    recipe: (draft) => {
      draft.nodes["3"] = { ...sampler, _meta: { position: [0, 0], seed_control: "randomize" } };
      return undefined;
    },
  });
  await bench.runs.run();
  const seed = posted[0]?.workflow.nodes["3"]?.inputs.seed;
  expect(seed).not.toBe(7);
  expect(Number.isSafeInteger(seed)).toBe(true);
  expect(bench.document.workflow().nodes["3"]?.inputs.seed).toBe(seed);
  expect(bench.document.undo()).toBeUndefined();
});

test("a workflow with a hole is not posted, and the hole is marked", async () => {
  const { bench, posted, status, state } = scripted();
  bench.document.apply(remove(["2"], () => undefined));
  await bench.runs.run();
  expect(posted).toEqual([]);
  expect(status("3").inputErrors).toEqual({
    positive: "Sample needs a Conditioning at “Positive”.",
  });
  expect(state().problems).toHaveLength(1);
});

test("a refusal is told at every node and input it names", async () => {
  const refusal: Refusal = {
    error: {
      type: "prompt_outputs_failed_validation",
      message: "The workflow has mistakes",
      details: "",
      extra_info: {},
    },
    node_errors: {
      "3": {
        errors: [
          {
            type: "value_bigger_than_max",
            message: "steps: at most 100, not 900",
            details: "steps",
            extra_info: { input_name: "steps" },
          },
          {
            type: "value_smaller_than_min",
            message: "seed: -1 is below 0",
            details: "from 0 up",
            extra_info: { input_name: "seed" },
          },
        ],
      },
    },
  };
  const { bench, status, state } = scripted({ submit: async () => refusal });
  await bench.runs.run();
  expect(state().jobs).toEqual([]);
  expect(state().problems).toEqual([
    { node: "3", input: "steps", message: "Sample, Steps: at most 100, not 900" },
    { node: "3", input: "seed", message: "Sample, Seed: -1 is below 0 (from 0 up)" },
  ]);
  expect(Object.keys(status("3").inputErrors)).toEqual(["steps", "seed"]);
});

test("a failure stands on its node until the next run", async () => {
  const { bench, posted, send, status, state } = scripted();
  await bench.runs.run();
  const prompt_id = posted[0]?.job;
  send("execution_start", { prompt_id });
  send("executing", { node: "3", prompt_id });
  send("execution_error", {
    prompt_id,
    node_id: "3",
    exception_message: "No memory left\nat line 5",
  });
  send("executing", { node: null, prompt_id });
  expect(status("3")).toMatchObject({ stage: "failed", error: "No memory left" });
  expect(state().notice).toBe("Sample: No memory left");
  await bench.runs.run();
  expect(status("3").error).toBeNull();
});

test("cancel stops the running job and takes the waiting ones back", async () => {
  const { bench, posted, told, send, state } = scripted();
  await bench.runs.run();
  await bench.runs.run();
  const [first, second] = posted.map(({ job }) => job);
  send("execution_start", { prompt_id: first });
  await bench.runs.cancel();
  expect(told).toEqual([`dequeue ${second}`, `interrupt ${first}`]);
  send("execution_interrupted", { prompt_id: first, node_id: "3" });
  send("executing", { node: null, prompt_id: first });
  expect(state()).toMatchObject({ jobs: [], notice: "Cancelled" });
});

test("an unreachable server is told and leaves no job behind", async () => {
  const { bench, state } = scripted({ submit: async () => Promise.reject(new Error("offline")) });
  await bench.runs.run();
  expect(state().jobs).toEqual([]);
  expect(state().notice).toBe("The server could not be reached. offline");
});

test("after a lost connection the record of the run tells how it ended", async () => {
  const entry: HistoryEntry = {
    outputs: { "5": { images: [picture] } },
    status: { status_str: "success", messages: [["execution_success", {}]] },
  };
  const { bench, status, state } = scripted({ history: async () => entry });
  await bench.runs.run();
  bench.runs.onConnection("lost");
  bench.runs.onConnection("open");
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect(status("5").pictures).toHaveLength(1);
  expect(state().jobs).toEqual([]);
});

test("after a reload the run that is still going is followed again", async () => {
  const { bench, send, status, state } = scripted({
    queue: async () => ({ running: ["old"], pending: [] }),
  });
  bench.runs.reset("old");
  bench.runs.onConnection("open");
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect(state().jobs.map(({ id, running }) => [id, running])).toEqual([["old", true]]);
  send("executing", { node: "3" });
  expect(status("3").stage).toBe("running");
});

test("what a node says of its work stands on it until the next run", async () => {
  const { bench, posted, send, status } = scripted();
  await bench.runs.run();
  const prompt_id = posted[0]?.job;
  send("execution_start", { prompt_id });
  const output = { notes: [{ text: "not used: lora_a" }], text: ["plain"] };
  send("executed", { node: "4", output, prompt_id });
  send("execution_warning", { node_id: "3", message: "no value came", prompt_id });
  expect(status("4").notes).toEqual(["plain", "not used: lora_a"]);
  expect(status("3").notes).toEqual(["no value came"]);
  send("execution_start", { prompt_id });
  expect(status("4").notes).toEqual([]);
});
