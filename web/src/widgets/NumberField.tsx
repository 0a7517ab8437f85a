/** A number: drag it sideways, step it with the arrow keys, or type it. */

import { ChevronLeft, ChevronRight } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import type { Json } from "@/document/types";
import { stepped, typed, written } from "@/widgets/scrub";
import { labelOf, type WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

const PIXELS_PER_STEP = 4;
const STILL_A_CLICK_PX = 3;
const LARGE_STEP = 10;

interface Scrub {
  x: number;
  steps: number;
  from: Json;
  name: string;
  moving: boolean;
}

/** Text being typed; it stands for as long as the value is the one it last gave. */
interface Edit {
  text: string;
  value: Json;
  before: Json;
}

let scrubs = 0;

export function NumberField(props: WidgetProps) {
  const { input, value, onChange } = props;
  const [edit, setEdit] = useState<Edit | null>(null);
  const scrub = useRef<Scrub | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const text = edit && edit.value === value ? edit.text : written(input, value);

  const type = (next: string) => {
    const read = typed(input, next);
    setEdit((old) => ({ text: next, value: read ?? value, before: old ? old.before : value }));
    if (read !== undefined && read !== value) {
      onChange(read);
    }
  };
  const step = (steps: number) => {
    setEdit(null);
    onChange(stepped(input, value, steps));
  };
  const giveUp = () => {
    if (edit && edit.value === value) {
      onChange(edit.before);
    }
    setEdit(null);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const size = event.shiftKey ? LARGE_STEP : 1;
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      step(event.key === "ArrowUp" ? size : -size);
    } else if (event.key === "Enter") {
      setEdit(null);
    } else if (event.key === "Escape") {
      giveUp();
    }
  };

  const onPointerDown = (event: PointerEvent<HTMLInputElement>) => {
    if (event.button !== 0 || document.activeElement === field.current) {
      return;
    }
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    scrubs += 1;
    const name = `scrub:${scrubs}`;
    scrub.current = { x: event.clientX, steps: 0, from: value, name, moving: false };
  };

  const onPointerMove = (event: PointerEvent) => {
    const current = scrub.current;
    if (!current) {
      return;
    }
    const distance = event.clientX - current.x;
    current.moving ||= Math.abs(distance) > STILL_A_CLICK_PX;
    const steps = Math.trunc(distance / PIXELS_PER_STEP) * (event.shiftKey ? LARGE_STEP : 1);
    if (current.moving && steps !== current.steps) {
      current.steps = steps;
      onChange(stepped(input, current.from, steps), current.name);
    }
  };

  const onPointerUp = () => {
    if (scrub.current && !scrub.current.moving) {
      field.current?.focus();
      field.current?.select();
    }
    scrub.current = null;
  };

  return (
    <span className={styles.number}>
      <span className={styles.steppers} aria-hidden="true">
        <button type="button" tabIndex={-1} className={styles.stepper} onClick={() => step(-1)}>
          <ChevronLeft size={12} />
        </button>
        <button type="button" tabIndex={-1} className={styles.stepper} onClick={() => step(1)}>
          <ChevronRight size={12} />
        </button>
      </span>
      <input
        ref={field}
        role="spinbutton"
        inputMode="decimal"
        autoComplete="off"
        className={styles.numberInput}
        aria-label={labelOf(props)}
        aria-valuenow={Number(value)}
        aria-valuetext={written(input, value)}
        {...(input.min === null ? {} : { "aria-valuemin": input.min })}
        {...(input.max === null ? {} : { "aria-valuemax": input.max })}
        value={text}
        onChange={(event) => type(event.target.value)}
        onBlur={() => setEdit(null)}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={onPointerUp}
      />
    </span>
  );
}
