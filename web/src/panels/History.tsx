/** Everything that was made, the newest first: found by words, enlarged, and its settings used again. */

import { RotateCcw, Star } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { useStore } from "zustand";
import { takeSettings } from "@/app/reuse";
import { useActivity, useWorkbench } from "@/app/workbench";
import styles from "@/panels/side.module.css";
import { carry } from "@/runtime/carried";
import { nameOf } from "@/runtime/favourites";
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
  const { activity, favourites, runs, view } = useWorkbench();
  const { records, known, limit, error } = useActivity((state) => state);
  const [query, setQuery] = useState("");
  useEffect(() => activity.watch("history"), [activity]);
  const { names } = useStore(favourites.state);
  const [liked, setLiked] = useState(false);
  useEffect(() => {
    favourites.load().catch((cause: unknown) => runs.state.setState({ notice: String(cause) }));
  }, [favourites, runs]);
  const tiles = useMemo(() => {
    const found = tilesOf(matching(records, query));
    return liked ? found.filter(({ picture }) => names?.has(nameOf(picture))) : found;
  }, [records, query, liked, names]);
  const enlarge = (index: number) =>
    view.setState({ lightbox: { pictures: tiles.map(({ picture }) => picture), index } });
  return (
    <>
      <div className={styles.searchRow}>
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
        <IconButton
          icon={Star}
          label={t.history.favourites}
          pressed={liked}
          onClick={() => setLiked(!liked)}
        />
      </div>
      <div className={styles.scroll}>
        {error && <p className={styles.error}>{error}</p>}
        {known.history && tiles.length === 0 && (
          <p className={styles.empty}>
            {records.length === 0 ? t.history.empty : liked ? t.history.unliked : t.history.none}
          </p>
        )}
        <ul className={styles.tiles} aria-label={t.history.pictures}>
          {tiles.map((tile, index) => (
            <TileView
              key={`${tile.record.id}/${tile.picture.subfolder}/${tile.picture.filename}`}
              tile={tile}
              liked={names?.has(nameOf(tile.picture)) ?? false}
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

interface TileViewProps {
  tile: Tile;
  liked: boolean;
  onEnlarge: () => void;
}

function TileView({ tile, liked, onEnlarge }: TileViewProps) {
  const workbench = useWorkbench();
  const { favourites, runs } = workbench;
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
        title={t.history.drag}
        draggable
        onDragStart={(event) => carry(event.dataTransfer, picture)}
        onClick={onEnlarge}
      >
        <img src={thumbnailUrl(picture)} alt="" draggable={false} loading="lazy" decoding="async" />
      </button>
      <p className={styles.words} title={name}>
        {name}
      </p>
      <div className={styles.tileFoot}>
        <small title={`${picture.filename}${seed}`}>{when(record.at)}</small>
        <IconButton
          icon={Star}
          label={t.history.like(name)}
          pressed={liked}
          onClick={() => {
            favourites
              .toggle(picture)
              .catch((cause: unknown) =>
                runs.state.setState({ notice: t.queue.unreached(String(cause)) }),
              );
          }}
        />
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
