/** The pictures that the form is there for, and the live preview while they are made. */

import { useEffect, useRef } from "react";
import { useStore } from "zustand";
import { useDocument, useRuns, useSchema, useStatus, useWorkbench } from "@/app/workbench";
import { labelOfField } from "@/document/form";
import type { Schema } from "@/document/schema";
import { recordAt } from "@/document/subgraphs";
import type { NodeId, Workflow } from "@/document/types";
import styles from "@/form/form.module.css";
import { pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";

/** The results by name: those that were chosen, or else all that the workflow shows. */
export function resultsOf(workflow: Workflow, schema: Schema): [name: string, node: NodeId][] {
  const chosen = Object.entries(workflow.results).filter(([, { node }]) =>
    recordAt(workflow, node),
  );
  if (chosen.length > 0) {
    return chosen.map(([name, { node }]) => [name, node]);
  }
  return Object.entries(workflow.nodes)
    .filter(([, record]) => schema.nodes[record.class_type]?.effect)
    .map(([id, record]) => [record._meta.title ?? record.class_type, id]);
}

export function Results() {
  const schema = useSchema();
  const workflow = useDocument((state) => state.workflow);
  const { previews } = useWorkbench();
  const previewed = useStore(previews.nodes);
  const running = useRuns((state) => state.node);
  const results = resultsOf(workflow, schema);
  const live = running !== null && previewed.has(running) ? running : null;
  return (
    <section className={styles.results} aria-label={t.form.results}>
      {results.map(([name, node], index) => (
        <Result
          key={node}
          node={node}
          name={labelOfField(name, {})}
          titled={results.length > 1}
          live={index === 0 ? live : null}
        />
      ))}
    </section>
  );
}

interface ResultProps {
  node: NodeId;
  name: string;
  titled: boolean;
  /** The node whose steps are shown in the meantime. */
  live: NodeId | null;
}

function Result({ node, name, titled, live }: ResultProps) {
  const { view, runs } = useWorkbench();
  const { pictures } = useStatus(node);
  const enlarge = (url: string) => {
    const all = runs.state.getState().pictures;
    const index = all.findIndex((other) => pictureUrl(other) === url);
    view.setState({ lightbox: { pictures: null, index: Math.max(0, index) } });
  };
  return (
    <div className={styles.result}>
      {titled && <h2>{name}</h2>}
      <div
        className={styles.mat}
        data-empty={live === null && pictures.length === 0 ? true : undefined}
      >
        {live !== null ? (
          <Live key={live} node={live} />
        ) : (
          pictures.map((picture) => (
            <button
              key={pictureUrl(picture)}
              type="button"
              aria-label={t.form.enlarge(name)}
              aria-haspopup="dialog"
              onClick={() => enlarge(pictureUrl(picture))}
            >
              <img src={pictureUrl(picture)} alt={name} data-testid="form-picture" />
            </button>
          ))
        )}
        {live === null && pictures.length === 0 && <span>{t.form.waiting}</span>}
      </div>
    </div>
  );
}

function Live({ node }: { node: NodeId }) {
  const { previews } = useWorkbench();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(
    () => (canvas.current ? previews.attach(node, canvas.current) : undefined),
    [previews, node],
  );
  return <canvas ref={canvas} role="img" aria-label={t.form.preview} data-testid="form-preview" />;
}
