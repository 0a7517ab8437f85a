/** A page that says why there is no canvas, and how to try again. */

import styles from "@/app/app.module.css";

export function Fatal({ title, text }: { title: string; text: string }) {
  return (
    <div className={styles.fatal} role="alert">
      <h1>{title}</h1>
      <span>{text}</span>
      <button type="button" onClick={() => location.reload()}>
        Try again
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
