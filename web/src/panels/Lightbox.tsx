/** One picture, large, or two of them one over the other: arrows walk through all, Escape goes back. */

import { ChevronLeft, ChevronRight, Columns2, Download, Info, RotateCcw, X } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { takeSettings } from "@/app/reuse";
import type { LightboxRequest } from "@/app/view";
import { useRuns, useView, useWorkbench } from "@/app/workbench";
import { Compare } from "@/panels/Compare";
import { Details } from "@/panels/Details";
import styles from "@/panels/panels.module.css";
import { type Picture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";
import { IconButton } from "@/ui/IconButton";
import wall from "@/ui/wall.module.css";

export function Lightbox() {
  const request = useView((state) => state.lightbox);
  const own = useRuns((state) => state.pictures);
  const pictures = request?.pictures ?? own;
  const picture = request ? pictures[request.index] : undefined;
  return request && picture ? (
    <Opened request={request} pictures={pictures} picture={picture} />
  ) : null;
}

interface OpenedProps {
  request: LightboxRequest;
  pictures: readonly Picture[];
  picture: Picture;
}

function Opened({ request, pictures, picture }: OpenedProps) {
  const workbench = useWorkbench();
  const { view } = workbench;
  const { index } = request;
  /** The picture that stays while the arrows change the other. */
  const [pinned, setPinned] = useState<Picture | null>(null);
  const [told, setTold] = useState(false);
  const close = () => view.setState({ lightbox: null });
  const go = (to: number) =>
    view.setState({
      lightbox: { ...request, index: Math.min(pictures.length - 1, Math.max(0, to)) },
    });
  const compare = () => {
    setPinned(pinned ? null : picture);
    if (!pinned) {
      go(index > 0 ? index - 1 : index + 1);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const sliding = event.target instanceof HTMLInputElement;
    if (!sliding && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      go(index + (event.key === "ArrowLeft" ? -1 : 1));
    }
  };
  const url = pictureUrl(picture);
  return (
    <Dialog
      title={t.lightbox.title}
      bare
      className={wall.wall}
      onClose={close}
      onKeyDown={onKeyDown}
    >
      <div className={styles.stage}>
        {pinned ? (
          <Compare one={pinned} other={picture} />
        ) : (
          <img src={url} alt={picture.filename} data-testid="lightbox-picture" />
        )}
        {told && <Details picture={picture} />}
        <footer>
          <IconButton
            icon={ChevronLeft}
            label={t.lightbox.previous}
            disabled={index === 0}
            onClick={() => go(index - 1)}
          />
          <span>{t.lightbox.place(index + 1, pictures.length)}</span>
          <IconButton
            icon={ChevronRight}
            label={t.lightbox.next}
            disabled={index === pictures.length - 1}
            onClick={() => go(index + 1)}
          />
          <span className={styles.caption}>
            {pinned ? t.lightbox.beside(named(pinned), named(picture)) : named(picture)}
          </span>
          <IconButton
            icon={Columns2}
            label={t.lightbox.compare}
            disabled={pictures.length < 2}
            pressed={pinned !== null}
            onClick={compare}
          />
          <IconButton
            icon={Info}
            label={t.lightbox.about}
            pressed={told}
            onClick={() => setTold(!told)}
          />
          <button
            type="button"
            className={styles.download}
            onClick={() => {
              close();
              void takeSettings(workbench, picture.job);
            }}
          >
            <RotateCcw size={15} strokeWidth={1.75} />
            {t.lightbox.reuse}
          </button>
          <a className={styles.download} href={url} download={picture.filename}>
            <Download size={15} strokeWidth={1.75} />
            {t.lightbox.download}
          </a>
          <IconButton icon={X} label={t.dialog.close} onClick={close} />
        </footer>
      </div>
    </Dialog>
  );
}

function named({ filename, seed }: Picture): string {
  return seed === null ? filename : `${filename}, ${t.queue.seed(seed)}`;
}
