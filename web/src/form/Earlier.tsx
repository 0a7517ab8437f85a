/** What was made with this form before, the newest first. */

import { useEffect, useMemo, useState } from "react";
import { useActivity, useDocument, useWorkbench } from "@/app/workbench";
import styles from "@/form/form.module.css";
import { type Picture, pictureUrl, thumbnailUrl } from "@/runtime/picture";
import type { JobRecord } from "@/runtime/records";
import { t } from "@/strings/strings";

const SHOWN = 24;

interface Made {
  picture: Picture;
  prompt: string;
}

/** The kept pictures of one document. */
export function madeWith(records: readonly JobRecord[], workflow: string): Made[] {
  return records
    .filter((record) => record.workflow === workflow)
    .flatMap(({ id, seed, prompt, images }) =>
      images
        .filter(({ type }) => type === "output")
        .map((image) => ({ prompt, picture: { ...image, job: id, seed } })),
    );
}

export function Earlier() {
  const { activity, view } = useWorkbench();
  const records = useActivity((state) => state.records);
  const workflow = useDocument((state) => state.workflow.id);
  const [limit, setLimit] = useState(SHOWN);
  useEffect(() => activity.watch("history"), [activity]);
  const made = useMemo(() => madeWith(records, workflow), [records, workflow]);
  if (made.length === 0) {
    return null;
  }
  const enlarge = (index: number) =>
    view.setState({ lightbox: { pictures: made.map(({ picture }) => picture), index } });
  return (
    <section className={styles.earlier} aria-labelledby="earlier">
      <h2 id="earlier">{t.form.earlier}</h2>
      <ul>
        {made.slice(0, limit).map(({ picture, prompt }, index) => (
          <li key={pictureUrl(picture)}>
            <button
              type="button"
              aria-label={t.form.enlarge(prompt || picture.filename)}
              aria-haspopup="dialog"
              title={prompt}
              onClick={() => enlarge(index)}
            >
              <img src={thumbnailUrl(picture)} alt="" loading="lazy" decoding="async" />
            </button>
          </li>
        ))}
      </ul>
      {made.length > limit && (
        <button type="button" className={styles.quiet} onClick={() => setLimit(limit + SHOWN)}>
          {t.form.older}
        </button>
      )}
    </section>
  );
}
