/** The code behind a node: its own file and the files of the course that it runs, to be read on and on. */

import { ArrowLeft } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useWorkbench } from "@/app/workbench";
import type { NodeSource, SourceFile } from "@/runtime/sources";
import { Prose } from "@/source/Prose";
import { head, highlight, type Token } from "@/source/python";
import styles from "@/source/source.module.css";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

interface Spot {
  file: string;
  line: number;
}

export default function Source({ node }: { node: string }) {
  const { api } = useWorkbench();
  const [source, setSource] = useState<NodeSource | null>(null);
  const [file, setFile] = useState<SourceFile | null>(null);
  const [trail, setTrail] = useState<readonly Spot[]>([]);
  const [error, setError] = useState("");
  const spot = trail.at(-1);
  const wanted = spot?.file;

  useEffect(() => {
    api
      .source(node)
      .then((found) => {
        setSource(found);
        setTrail([{ file: found.file, line: found.line }]);
      })
      .catch((cause: unknown) => setError(why(cause)));
  }, [api, node]);
  useEffect(() => {
    if (wanted !== undefined) {
      api
        .sourceFile(wanted)
        .then(setFile)
        .catch((cause: unknown) => setError(why(cause)));
    }
  }, [api, wanted]);

  const go = (to: Spot) => setTrail([...trail, to]);
  if (error) {
    return (
      <p className={styles.error} role="alert">
        {error}
      </p>
    );
  }
  return (
    <div className={styles.source}>
      <nav aria-label={t.source.files}>
        {source && (
          <>
            <h3>{t.source.node}</h3>
            <FileButton place={source} current={spot} onGo={go} />
            {source.course.length > 0 && <h3>{t.source.course}</h3>}
            {source.course.map((place) => (
              <FileButton key={place.file} place={place} current={spot} onGo={go} />
            ))}
          </>
        )}
      </nav>
      <div className={styles.reading}>
        <header>
          <IconButton
            icon={ArrowLeft}
            label={t.source.back}
            disabled={trail.length < 2}
            onClick={() => setTrail(trail.slice(0, -1))}
          />
          <span>{spot?.file}</span>
        </header>
        {file && spot && file.file === spot.file && <Code file={file} line={spot.line} onGo={go} />}
      </div>
    </div>
  );
}

function why(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

interface FileButtonProps {
  place: Spot & { names?: readonly string[] };
  current: Spot | undefined;
  onGo: (to: Spot) => void;
}

function FileButton({ place, current, onGo }: FileButtonProps) {
  const { file, line, names = [] } = place;
  return (
    <button
      type="button"
      aria-current={current?.file === file ? "page" : undefined}
      title={file}
      onClick={() => onGo({ file, line })}
    >
      {file.split("/").at(-1)}
      {names.length > 0 && <small>{names.join(", ")}</small>}
    </button>
  );
}

interface CodeProps {
  file: SourceFile;
  line: number;
  onGo: (to: Spot) => void;
}

function Code({ file, line, onGo }: CodeProps) {
  const { doc, line: after } = useMemo(() => head(file.text), [file]);
  const lines = useMemo(() => highlight(file.text), [file]);
  const target = useRef<HTMLDivElement>(null);
  const page = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another line of the same file is gone to as well
  useEffect(() => {
    if (target.current && page.current && line > after + 1) {
      target.current.scrollIntoView({ block: "start" });
    } else {
      page.current?.scrollTo({ top: 0 });
    }
  }, [line, file]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
    <section ref={page} className={styles.page} aria-label={file.file} tabIndex={0}>
      {doc && <Prose doc={doc} />}
      <pre className={styles.code}>
        {lines.slice(after).map((tokens, index) => {
          const number = after + index + 1;
          return (
            <div
              key={number}
              ref={number === line ? target : undefined}
              data-target={number === line || undefined}
              data-line={number}
            >
              {tokens.map((token, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a line stay in their order
                <TokenView key={at} token={token} to={file.names[token.text]} onGo={onGo} />
              ))}
              {"\n"}
            </div>
          );
        })}
      </pre>
    </section>
  );
}

interface TokenViewProps {
  token: Token;
  to: readonly [file: string, line: number] | undefined;
  onGo: (to: Spot) => void;
}

function TokenView({ token, to, onGo }: TokenViewProps) {
  if (token.kind === "plain") {
    return token.text;
  }
  if (token.kind === "name") {
    return to ? (
      <button type="button" title={to[0]} onClick={() => onGo({ file: to[0], line: to[1] })}>
        {token.text}
      </button>
    ) : (
      token.text
    );
  }
  return <span data-kind={token.kind}>{token.text}</span>;
}
