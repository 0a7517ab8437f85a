/** The neutral mat on which pictures and live previews lie. */

import { useEffect, useRef } from "react";
import { useWorkbench } from "@/app/workbench";
import styles from "@/canvas/canvas.module.css";
import type { Geometry } from "@/canvas/geometry";
import type { NodeId } from "@/document/types";
import { type Picture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";

interface MatProps {
  node: NodeId;
  title: string;
  mat: NonNullable<Geometry["mat"]>;
  pictures: readonly Picture[];
}

export function Mat({ node, title, mat, pictures }: MatProps) {
  return (
    <div className={`${styles.mat} nodrag`} style={{ top: mat.y, height: mat.height }}>
      {mat.holds === "preview" ? (
        <Preview node={node} title={title} />
      ) : (
        <Pictures node={node} title={title} pictures={pictures} />
      )}
    </div>
  );
}

function Preview({ node, title }: { node: NodeId; title: string }) {
  const { previews } = useWorkbench();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(
    () => (canvas.current ? previews.attach(node, canvas.current) : undefined),
    [previews, node],
  );
  return (
    <canvas
      ref={canvas}
      className={styles.preview}
      role="img"
      aria-label={t.sheet.preview(title)}
      data-testid={`preview-${node}`}
    />
  );
}

function Pictures({ node, title, pictures }: Omit<MatProps, "mat">) {
  const { view, runs } = useWorkbench();
  if (pictures.length === 0) {
    return <span className={styles.matHint}>{t.form.waiting}</span>;
  }
  const enlarge = (picture: Picture) => {
    const all = runs.state.getState().pictures;
    const index = all.findIndex((other) => pictureUrl(other) === pictureUrl(picture));
    view.setState({ lightbox: { pictures: null, index: Math.max(0, index) } });
  };
  const columns = Math.ceil(Math.sqrt(pictures.length));
  return (
    <div className={styles.pictures} style={{ gridTemplateColumns: `repeat(${columns}, 1fr)` }}>
      {pictures.map((picture, index) => (
        <button
          type="button"
          key={pictureUrl(picture)}
          aria-label={t.sheet.enlarge(index + 1, title)}
          aria-haspopup="dialog"
          onClick={() => enlarge(picture)}
        >
          <img
            src={pictureUrl(picture)}
            alt={picture.filename}
            draggable={false}
            data-testid={index === 0 ? `picture-${node}` : undefined}
          />
        </button>
      ))}
    </div>
  );
}
