/** How a picture was made: its file, its size and the values of every node, from what the server kept. */

import { useEffect, useState } from "react";
import { useSchema, useWorkbench } from "@/app/workbench";
import { readWorkflow } from "@/document/read";
import { inputOf, type Schema } from "@/document/schema";
import { isLink, titleOf, type Workflow } from "@/document/types";
import styles from "@/panels/details.module.css";
import { randomId } from "@/runtime/ids";
import { type Picture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";

interface Told {
  title: string;
  values: readonly (readonly [name: string, value: string])[];
}

/** The values that a person chose, node by node. */
export function valuesOf(workflow: Workflow, schema: Schema): Told[] {
  return Object.values(workflow.nodes).flatMap((record) => {
    const spec = schema.nodes[record.class_type];
    const values = Object.entries(record.inputs)
      .filter(([, value]) => !isLink(value) && value !== "" && value !== null)
      .map(([name, value]) => {
        const text = typeof value === "string" ? value : JSON.stringify(value);
        return [inputOf(spec, name)?.title ?? name, text] as const;
      });
    return values.length > 0 ? [{ title: titleOf(record, spec?.title), values }] : [];
  });
}

export function Details({ picture }: { picture: Picture }) {
  const { api, runs } = useWorkbench();
  const schema = useSchema();
  const [size, setSize] = useState<readonly [number, number] | null>(null);
  const [workflow, setWorkflow] = useState<Workflow | null>(null);
  const url = pictureUrl(picture);
  useEffect(() => {
    let wanted = true;
    const image = new Image();
    image.src = url;
    image.decode().then(
      () => wanted && setSize([image.naturalWidth, image.naturalHeight]),
      () => undefined, // the picture itself shows that it is gone
    );
    api.settings(picture.job).then(
      (json) =>
        wanted && setWorkflow(json === undefined ? null : readWorkflow(json, randomId()).workflow),
      (cause: unknown) => runs.state.setState({ notice: t.history.unread(String(cause)) }),
    );
    return () => {
      wanted = false;
    };
  }, [api, runs, url, picture.job]);
  const told = workflow ? valuesOf(workflow, schema) : [];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
    <section className={styles.details} aria-label={t.lightbox.about} tabIndex={0}>
      <dl>
        <Fact name={t.lightbox.file} value={picture.filename} />
        {size && <Fact name={t.lightbox.size} value={t.lightbox.pixels(...size)} />}
        {picture.seed !== null && <Fact name={t.lightbox.seed} value={picture.seed} />}
      </dl>
      {told.map(({ title, values }) => (
        <section key={`${title}:${values.join()}`}>
          <h3>{title}</h3>
          <dl>
            {values.map(([name, value]) => (
              <Fact key={name} name={name} value={value} />
            ))}
          </dl>
        </section>
      ))}
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
