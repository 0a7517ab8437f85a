/** Text of any length; a prompt.  At rest a plain field, while it is written in an editor. */

import { type KeyboardEvent, lazy, Suspense, useEffect, useRef, useState } from "react";
import { useView, useWorkbench } from "@/app/workbench";
import { labelOf, type WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

const load = () => import("@/prompt/Editor");
const Editor = lazy(load);

type Range = readonly [from: number, to: number];

export function ParagraphField(props: WidgetProps) {
  const { node, input, onChange } = props;
  const { view } = useWorkbench();
  const wanted = useView((state) => state.focus?.node === node && state.focus.input === input.name);
  const area = useRef<HTMLTextAreaElement>(null);
  const [active, setActive] = useState(false);
  /** The selection with which the editor took over; null while the plain field is there. */
  const [edited, setEdited] = useState<Range | null>(null);
  const value = String(props.value ?? "");
  useEffect(() => {
    if (wanted && area.current) {
      area.current.focus({ preventScroll: true });
      area.current.setSelectionRange(area.current.value.length, area.current.value.length);
      view.setState({ focus: null });
    }
  }, [wanted, view]);

  /** A person is at work here: the editor takes over as soon as it is there, with the cursor. */
  const takeOver = () => {
    void load().then(() => {
      const field = area.current;
      if (field && document.activeElement === field) {
        setEdited([field.selectionStart, field.selectionEnd]);
      }
    });
  };
  const plain = (
    <textarea
      ref={area}
      // Only the text being edited scrolls; over any other the wheel zooms.
      className={active ? `${styles.paragraph} nowheel` : styles.paragraph}
      onFocus={() => {
        setActive(true);
        void load(); // so that it is there when it is needed
      }}
      onBlur={() => setActive(false)}
      onPointerUp={takeOver}
      onKeyUp={(event) => writes(event) && takeOver()}
      aria-label={labelOf(props)}
      placeholder={input.title}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
  return edited === null ? (
    plain
  ) : (
    <Suspense fallback={plain}>
      <Editor
        node={node}
        label={labelOf(props)}
        hint={input.title}
        value={value}
        selection={edited}
        onChange={onChange}
        onLeave={() => {
          setEdited(null);
          setActive(false);
        }}
      />
    </Suspense>
  );
}

/** Keys that write or move in a text; those of commands leave the field as it is. */
function writes({ key, ctrlKey, metaKey, nativeEvent }: KeyboardEvent): boolean {
  const command = ctrlKey || metaKey;
  const plainly = key.length === 1 || /^(Backspace|Delete|Enter|Home|End)$/.test(key);
  return !nativeEvent.isComposing && (key.startsWith("Arrow") || (plainly && !command));
}
