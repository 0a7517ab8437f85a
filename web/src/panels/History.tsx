/** Everything that was made, the newest first: found by words, enlarged, and its settings used again. */

import { RotateCcw } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { takeSettings } from "@/app/reuse";
import { useActivity, useWorkbench } from "@/app/workbench";
import styles from "@/panels/side.module.css";
import { type Picture, thumbnailUrl } from "@/runtime/picture";
import { type JobRecord, matching } from "@/runtime/records";
import { languageStore, t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

interface Tile {
  picture: Picture;
  record: JobRecord;
}

const TIME = { hour: "2-digit", minute: "2-digit" } as const;
const DAY = { month: "short", day: "numeric" } as const;

/** The time of day for today, the day for any other. */
function when(at: number | null): string {
  if (at === null) {
    return "";
  }
  const today = new Date(at).toDateString() === new Date().toDateString();
  const { language } = languageStore.getState();
  return new Intl.DateTimeFormat(language, today ? TIME : DAY).format(at);
}

export default function History() {
  const { activity, view } = useWorkbench();
  const { records, known, limit, error } = useActivity((state) => state);
  const [query, setQuery] = useState("");
  useEffect(() => activity.watch("history"), [activity]);
  const tiles = useMemo(() => tilesOf(matching(records, query)), [records, query]);
  const enlarge = (index: number) =>
    view.setState({ lightbox: { pictures: tiles.map(({ picture }) => picture), index } });
  return (
    <>
      <input
        type="search"
        className={styles.search}
        aria-label={t.history.search}
        placeholder={t.history.words}
        autoComplete="off"
        spellCheck={false}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
      />
      <div className={styles.scroll}>
        {error && <p className={styles.error}>{error}</p>}
        {known.history && tiles.length === 0 && (
          <p className={styles.empty}>{records.length === 0 ? t.history.empty : t.history.none}</p>
        )}
        <ul className={styles.tiles} aria-label={t.history.pictures}>
          {tiles.map((tile, index) => (
            <TileView
              key={`${tile.record.id}/${tile.picture.subfolder}/${tile.picture.filename}`}
              tile={tile}
              onEnlarge={() => enlarge(index)}
            />
          ))}
        </ul>
        {records.length >= limit && (
          <button type="button" className={styles.quiet} onClick={activity.more}>
            {t.history.older}
          </button>
        )}
      </div>
    </>
  );
}

function TileView({ tile, onEnlarge }: { tile: Tile; onEnlarge: () => void }) {
  const workbench = useWorkbench();
  const { picture, record } = tile;
  const name = record.prompt || picture.filename;
  const seed = record.seed === null ? "" : `, ${t.queue.seed(record.seed)}`;
  return (
    <li className={styles.tile}>
      <button
        type="button"
        className={styles.thumbnail}
        aria-label={t.form.enlarge(name)}
        aria-haspopup="dialog"
        onClick={onEnlarge}
      >
        <img src={thumbnailUrl(picture)} alt="" loading="lazy" decoding="async" />
      </button>
      <p className={styles.words} title={name}>
        {name}
      </p>
      <div className={styles.tileFoot}>
        <small title={`${picture.filename}${seed}`}>{when(record.at)}</small>
        <IconButton
          icon={RotateCcw}
          label={t.history.reuse(name)}
          onClick={() => void takeSettings(workbench, record.id)}
        />
      </div>
    </li>
  );
}

/** One tile for each picture that was kept. */
function tilesOf(records: readonly JobRecord[]): Tile[] {
  return records.flatMap((record) =>
    record.images
      .filter(({ type }) => type === "output")
      .map((image) => ({ record, picture: { ...image, job: record.id, seed: record.seed } })),
  );
}
