/** A modal dialog: the browser's own, which keeps the focus inside and closes on Escape. */

import { X } from "lucide-react";
import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useRef } from "react";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";
import styles from "@/ui/ui.module.css";

interface DialogProps {
  title: string;
  onClose: () => void;
  onKeyDown?: (event: KeyboardEvent) => void;
  children: ReactNode;
  className?: string | undefined;
  /** Leave out the heading and the close button; the content brings its own. */
  bare?: boolean;
}

export function Dialog(props: DialogProps) {
  const { title, onClose, onKeyDown, children, className, bare = false } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
      const first = element.querySelector<HTMLElement>("[data-first]");
      (first ?? element).focus();
    }
    return () => element?.close();
  }, []);
  const onBackdrop = (event: MouseEvent) => {
    if (event.target === dialog.current) {
      onClose();
    }
  };
  return (
    <dialog
      ref={dialog}
      tabIndex={-1}
      className={className ?? styles.dialog}
      aria-label={title}
      onClose={onClose}
      onKeyDown={onKeyDown}
      onClick={onBackdrop}
    >
      {!bare && (
        <header className={styles.dialogTitle}>
          <h2>{title}</h2>
          <IconButton icon={X} label={t.dialog.close} onClick={onClose} />
        </header>
      )}
      {children}
    </dialog>
  );
}
