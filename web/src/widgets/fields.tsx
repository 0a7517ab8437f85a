/** The plain fields: text, choices, switches, and JSON for whatever has no field of its own. */

import { type ChangeEvent, useState } from "react";
import { parseJson } from "@/document/numbers";
import type { Json } from "@/document/types";
import { t } from "@/strings/strings";
import { labelOf, type WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

/** One line of text. */
export function LineField(props: WidgetProps) {
  return (
    <input
      className={styles.line}
      aria-label={labelOf(props)}
      autoComplete="off"
      spellCheck={false}
      value={String(props.value ?? "")}
      onChange={(event) => props.onChange(event.target.value)}
    />
  );
}

/** One of a list; a value that is not in the list stays visible and is marked. */
export function ComboField(props: WidgetProps) {
  const { input, value, onChange } = props;
  const choices = input.choices ?? [];
  const current = String(value ?? "");
  const missing = !choices.includes(current);
  return (
    <select
      className={styles.combo}
      aria-label={labelOf(props)}
      aria-invalid={missing}
      title={missing && current ? t.widgets.missing(current) : current}
      value={current}
      onChange={(event) => onChange(event.target.value)}
    >
      {missing && <option value={current}>{current ? shown(current) : t.widgets.none}</option>}
      {choices.map((choice) => (
        <option key={choice} value={choice}>
          {shown(choice)}
        </option>
      ))}
    </select>
  );
}

/** A file's name without the ending that all its neighbours share. */
function shown(choice: string): string {
  return choice.replace(/\.(safetensors|sft|ckpt|pth|pt|bin)$/, "");
}

/** Yes or no. */
export function ToggleField(props: WidgetProps) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={props.value === true}
      aria-label={labelOf(props)}
      className={styles.toggle}
      onClick={() => props.onChange(props.value !== true)}
    >
      <span className={styles.knob} />
    </button>
  );
}

/** A value whose type has no field: written as JSON, taken over when it parses. */
export function JsonField(props: WidgetProps) {
  const { value, onChange } = props;
  const [text, setText] = useState<string | null>(null);
  const invalid = text !== null && parsed(text) === undefined;
  const change = (event: ChangeEvent<HTMLInputElement>) => {
    setText(event.target.value);
    const read = parsed(event.target.value);
    if (read !== undefined) {
      onChange(read);
    }
  };
  return (
    <input
      className={styles.line}
      aria-label={labelOf(props)}
      aria-invalid={invalid}
      value={text ?? JSON.stringify(value ?? null)}
      onChange={change}
      onBlur={() => setText(null)}
    />
  );
}

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
