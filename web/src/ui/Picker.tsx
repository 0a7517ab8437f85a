/** A field to type into, and under it what was found; arrows choose and Enter takes. */

import {
  type CSSProperties,
  type KeyboardEvent,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import styles from "@/ui/ui.module.css";

interface Entry {
  key: string;
  text: string;
  /** Said beside it: its keys, or where it comes from. */
  note?: string | undefined;
  /** The colours of what it gives. */
  hues?: readonly number[];
  /** Said below the list while it is chosen. */
  summary?: string | undefined;
}

interface PickerProps<T extends Entry> {
  label: string;
  listLabel: string;
  placeholder: string;
  /** What is said when nothing is found. */
  none: string;
  find: (query: string) => readonly T[];
  onChoose: (entry: T) => void;
}

export function Picker<T extends Entry>(props: PickerProps<T>) {
  const { label, listLabel, placeholder, none, find, onChoose } = props;
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  const found = useMemo(() => find(query), [find, query]);
  const chosen = found[Math.min(active, found.length - 1)];
  useEffect(() => field.current?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (chosen) {
        onChoose(chosen);
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const by = event.key === "ArrowDown" ? 1 : -1;
      setActive((active + by + found.length) % Math.max(1, found.length));
    }
  };
  return (
    <>
      <input
        ref={field}
        data-first
        role="combobox"
        className={styles.query}
        aria-label={label}
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={chosen && `${list}-${chosen.key}`}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id={list} role="listbox" aria-label={listLabel} className={styles.entries}>
        {found.map((entry, index) => (
          <Row
            key={entry.key}
            id={`${list}-${entry.key}`}
            entry={entry}
            active={entry === chosen}
            onChoose={() => onChoose(entry)}
            onPoint={() => setActive(index)}
          />
        ))}
        {found.length === 0 && <p className={styles.none}>{none}</p>}
      </div>
      {chosen?.summary && <p className={styles.summary}>{chosen.summary}</p>}
    </>
  );
}

interface RowProps {
  id: string;
  entry: Entry;
  active: boolean;
  onChoose: () => void;
  onPoint: () => void;
}

function Row({ id, entry, active, onChoose, onPoint }: RowProps) {
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (active) {
      row.current?.scrollIntoView({ block: "nearest" });
    }
  }, [active]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles the keys of its list
    <div
      ref={row}
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={active}
      className={styles.entry}
      onClick={onChoose}
      onPointerMove={onPoint}
    >
      <span className={styles.entryText}>{entry.text}</span>
      {entry.note && <span className={styles.entryNote}>{entry.note}</span>}
      {entry.hues && (
        <span className={styles.chips} aria-hidden="true">
          {entry.hues.map((hue, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: several outputs may have one colour
            <i key={index} style={{ "--hue": hue } as CSSProperties} />
          ))}
        </span>
      )}
    </div>
  );
}
