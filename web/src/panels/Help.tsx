/** What a node does, from its own description. */

import { lazy, Suspense } from "react";
import { useRecord, useSchema, useView, useWorkbench } from "@/app/workbench";
import {
  type InputSpec,
  type NodeSpec,
  type OutputSpec,
  type Schema,
  typeTitle,
} from "@/document/schema";
import styles from "@/panels/panels.module.css";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";
import { Tabs } from "@/ui/Tabs";

const Source = lazy(() => import("@/source/Source"));

export function Help() {
  const { view } = useWorkbench();
  const request = useView((state) => state.help);
  const schema = useSchema();
  const spec = schema.nodes[useRecord(request?.node ?? "")?.class_type ?? ""];
  if (request === null || !spec) {
    return null;
  }
  const { page } = request;
  return (
    <Dialog
      title={spec.title}
      className={page === "source" ? styles.reader : undefined}
      onClose={() => view.setState({ help: null })}
    >
      <Tabs
        label={t.help.pages}
        tabs={[
          ["about", t.help.about],
          ["source", t.help.source],
        ]}
        chosen={page}
        onChoose={(next) => view.setState({ help: { ...request, page: next } })}
      >
        {page === "about" ? (
          <About spec={spec} schema={schema} />
        ) : (
          <Suspense fallback={null}>
            <Source node={spec.name} />
          </Suspense>
        )}
      </Tabs>
    </Dialog>
  );
}

/** What a class is for, what it takes and what it gives. */
export function About({ spec, schema }: { spec: NodeSpec; schema: Schema }) {
  return (
    <>
      <p className={styles.className}>{`${spec.name} · ${spec.category}`}</p>
      {spec.help.split(/\n\s*\n/).map((paragraph) => (
        <p key={paragraph} className={styles.helpText}>
          {paragraph.replace(/\s+/g, " ")}
        </p>
      ))}
      <Sockets title={t.help.takes} schema={schema} places={spec.inputs} />
      <Sockets title={t.help.gives} schema={schema} places={spec.outputs} />
    </>
  );
}

interface SocketsProps {
  title: string;
  schema: Schema;
  places: NodeSpec["inputs"] | NodeSpec["outputs"];
}

function Sockets({ title, schema, places }: SocketsProps) {
  if (places.length === 0) {
    return null;
  }
  return (
    <section>
      <h3 className={styles.helpHeading}>{title}</h3>
      <dl className={styles.helpList}>
        {places.map((place) => (
          <div key={place.name}>
            <dt>{place.title}</dt>
            <dd>{`${typeTitle(schema, place.type)}${noteOf(place)}`}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function noteOf(place: InputSpec | OutputSpec): string {
  if (!("help" in place)) {
    return "";
  }
  const range =
    place.seed || place.min === null || place.max === null
      ? ""
      : t.help.range(place.min, place.max);
  return `${range}${place.required ? "" : t.help.optional}${place.help ? `. ${place.help}` : ""}`;
}
