/** Two pictures in the same place, and a line between them that can be moved. */

import { type CSSProperties, useState } from "react";
import styles from "@/panels/panels.module.css";
import { type Picture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";

export function Compare({ one, other }: { one: Picture; other: Picture }) {
  const [share, setShare] = useState(50);
  return (
    <div className={styles.compare} style={{ "--share": `${share}%` } as CSSProperties}>
      <img src={pictureUrl(other)} alt={other.filename} data-testid="compare-other" />
      <img
        className={styles.over}
        src={pictureUrl(one)}
        alt={one.filename}
        data-testid="compare-one"
      />
      <input
        type="range"
        min={0}
        max={100}
        step={1}
        value={share}
        aria-label={t.lightbox.share}
        aria-valuetext={t.lightbox.percent(share)}
        onChange={(event) => setShare(Number(event.target.value))}
      />
      <div className={styles.seam} aria-hidden="true" />
    </div>
  );
}
