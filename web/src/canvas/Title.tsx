/** The title of a node or a frame; a double click, or the rename action, turns it into a field. */

import { type KeyboardEvent, useState } from "react";
import { useView, useWorkbench } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import { t } from "@/strings/strings";

interface TitleProps {
  /** Whose title it is, by its id on the canvas. */
  id: string;
  title: string;
  onRename: (title: string) => void;
}

export function Title({ id, title, onRename }: TitleProps) {
  const { view } = useWorkbench();
  const renaming = useView((state) => state.renaming === id);
  if (renaming) {
    return <TitleField id={id} title={title} onRename={onRename} />;
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the rename action offers the same to the keyboard
    <span
      className={styles.titleText}
      title={title}
      data-title-of={id}
      onDoubleClick={() => view.setState({ renaming: id })}
    >
      {title}
    </span>
  );
}

function TitleField({ id, title, onRename }: TitleProps) {
  const { view } = useWorkbench();
  const [text, setText] = useState(title);
  const close = () => {
    view.setState({ renaming: null });
    // The keyboard goes on where it was: at the node.
    requestAnimationFrame(() =>
      document.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)?.focus(),
    );
  };
  const commit = () => {
    if (view.getState().renaming === id && text.trim() && text !== title) {
      onRename(text.trim());
    }
    close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      commit();
    } else if (event.key === "Escape") {
      close();
    }
  };
  return (
    <input
      className={`${styles.titleInput} nodrag`}
      aria-label={t.sheet.title(title)}
      // biome-ignore lint/a11y/noAutofocus: the field replaces the words that were to be changed
      autoFocus
      value={text}
      onChange={(event) => setText(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={commit}
      onKeyDown={onKeyDown}
    />
  );
}
