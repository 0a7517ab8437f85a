/** A page that says why there is no canvas, and how to try again. */

import styles from "@/app/app.module.css";
import { t } from "@/strings/strings";

export function Fatal({ title, text }: { title: string; text: string }) {
  return (
    <div className={styles.fatal} role="alert">
      <h1>{title}</h1>
      <span>{text}</span>
      <button type="button" onClick={() => location.reload()}>
        {t.shell.again}
      </button>
    </div>
  );
}

/** What is seen while the server gets ready. */
export function Wait({ text }: { text: string }) {
  return (
    <div className={styles.fatal} role="status">
      <p>{text}</p>
    </div>
  );
}
