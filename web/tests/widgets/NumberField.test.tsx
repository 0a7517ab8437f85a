// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";
import { inputOf } from "@/document/schema";
import type { Json } from "@/document/types";
import { NumberField } from "@/widgets/NumberField";
import { SCHEMA } from "../fixture";

afterEach(cleanup);

const changes: (readonly [Json, string | undefined])[] = [];

function Steps() {
  const [value, setValue] = useState<Json>(20);
  const input = inputOf(SCHEMA.nodes.Sampler, "steps");
  const change = (next: Json, gesture?: string) => {
    changes.push([next, gesture]);
    setValue(next);
  };
  return (
    input && (
      <NumberField node="3" nodeTitle="Develop" input={input} value={value} onChange={change} />
    )
  );
}

function field(): HTMLInputElement {
  changes.length = 0;
  render(<Steps />);
  return screen.getByRole("spinbutton", { name: "Steps of Develop" });
}

test("arrow keys step, with Shift by ten", async () => {
  const steps = field();
  steps.focus();
  await userEvent.keyboard("{ArrowUp}{Shift>}{ArrowDown}{/Shift}");
  expect(steps.value).toBe("11");
});

test("typed text counts at once and is tidied when the field is left", async () => {
  const steps = field();
  await userEvent.clear(steps);
  await userEvent.type(steps, "500");
  expect(changes.at(-1)?.[0]).toBe(100);
  expect(steps.value).toBe("500");
  steps.blur();
  await screen.findByDisplayValue("100");
});

test("Escape gives the old number back", async () => {
  const steps = field();
  await userEvent.clear(steps);
  await userEvent.type(steps, "31{Escape}");
  expect(steps.value).toBe("20");
});

test("a sideways drag is one gesture, a click puts the cursor in", () => {
  const steps = field();
  steps.setPointerCapture = () => undefined;
  fireEvent.pointerDown(steps, { button: 0, clientX: 100, pointerId: 1 });
  fireEvent.pointerMove(steps, { clientX: 120, pointerId: 1 });
  fireEvent.pointerMove(steps, { clientX: 140, pointerId: 1 });
  fireEvent.pointerUp(steps, { pointerId: 1 });
  expect(steps.value).toBe("30");
  expect(new Set(changes.map(([, gesture]) => gesture)).size).toBe(1);
  expect(changes[0]?.[1]).toMatch(/^scrub:/);
  fireEvent.pointerDown(steps, { button: 0, clientX: 100, pointerId: 1 });
  fireEvent.pointerUp(steps, { pointerId: 1 });
  expect(document.activeElement).toBe(steps);
});
