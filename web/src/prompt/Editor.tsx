/** The editor of prompts: markup shown, weights by keys, words completed, tokens counted. */

import {
  autocompletion,
  type Completion,
  type CompletionContext,
  completionKeymap,
} from "@codemirror/autocomplete";
import { standardKeymap } from "@codemirror/commands";
import { Annotation, Compartment, RangeSetBuilder } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  EditorView,
  keymap,
  placeholder,
  tooltips,
  ViewPlugin,
  type ViewUpdate,
} from "@codemirror/view";
import { useEffect, useRef, useState } from "react";
import { useWorkbench } from "@/app/workbench";
import { CHUNK, type MarkKind, marksOf, reweighted, tokensOf, unknownIn } from "@/prompt/language";
import styles from "@/prompt/prompt.module.css";
import { COMPLETIONS } from "@/prompt/theme";
import { NO_WORDS, type Words, wordsFor, writtenFor } from "@/prompt/words";
import type { Api } from "@/runtime/api";
import { t } from "@/strings/strings";

const STEP = 0.05;
/** A change that came from the document, not from the keys. */
const FROM_OUTSIDE = Annotation.define<boolean>();

interface EditorProps {
  node: string;
  label: string;
  hint: string;
  value: string;
  /** Where the cursor or the selection was in the plain field. */
  selection: readonly [from: number, to: number];
  onChange: (text: string) => void;
  onLeave: () => void;
}

export default function Editor(props: EditorProps) {
  const { node, value } = props;
  const workbench = useWorkbench();
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [words, setWords] = useState<Words>(NO_WORDS);
  const learning = useRef(new Compartment());

  useEffect(() => {
    if (!host.current) {
      return;
    }
    const editor = create(host.current, latest, learning.current, workbench.api);
    view.current = editor;
    editor.focus();
    return () => editor.destroy();
  }, [workbench]);
  useEffect(() => {
    let wanted = true;
    void wordsFor(workbench, node).then((found) => wanted && setWords(found));
    return () => {
      wanted = false;
    };
  }, [workbench, node]);
  useEffect(() => {
    view.current?.dispatch({
      effects: learning.current.reconfigure(knowing(words, workbench.api)),
    });
  }, [words, workbench]);
  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({
        changes: { from: 0, to: editor.state.doc.length, insert: value },
        annotations: FROM_OUTSIDE.of(true),
      });
    }
  }, [value]);

  const tokens = tokensOf(value);
  const exact = words.vocabulary !== undefined;
  const chunks = Math.max(1, Math.ceil(tokens / CHUNK));
  return (
    <div className={`${styles.editor} nodrag nowheel`} data-testid="prompt-editor">
      <div ref={host} className={styles.host} />
      <span className={styles.count} title={exact ? undefined : t.prompt.estimated}>
        {t.prompt.tokens(`${exact ? "" : "≈ "}${tokens}`, chunks * CHUNK, chunks)}
      </span>
    </div>
  );
}

function create(
  parent: HTMLElement,
  latest: { readonly current: EditorProps },
  learning: Compartment,
  api: Api,
): EditorView {
  const { value, selection, label, hint } = latest.current;
  const [anchor, head] = selection;
  return new EditorView({
    parent,
    doc: value,
    selection: { anchor: Math.min(anchor, value.length), head: Math.min(head, value.length) },
    extensions: [
      keymap.of([
        { key: "Ctrl-ArrowUp", mac: "Cmd-ArrowUp", run: (view) => weigh(view, STEP) },
        { key: "Ctrl-ArrowDown", mac: "Cmd-ArrowDown", run: (view) => weigh(view, -STEP) },
        ...completionKeymap,
        ...standardKeymap,
      ]),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "true" }),
      placeholder(hint),
      COMPLETIONS,
      tooltips({ parent: document.body, position: "fixed" }),
      learning.of(knowing(NO_WORDS, api)),
      EditorView.updateListener.of((update) => {
        const outside = update.transactions.some((each) => each.annotation(FROM_OUTSIDE));
        if (update.docChanged && !outside) {
          latest.current.onChange(update.state.doc.toString());
        }
      }),
      EditorView.domEventHandlers({ blur: () => latest.current.onLeave() }),
    ],
  });
}

function weigh(view: EditorView, by: number): boolean {
  const { from, to } = view.state.selection.main;
  const edit = reweighted(view.state.doc.toString(), from, to, by);
  if (edit) {
    const [anchor, head] = edit.select;
    const { insert } = edit;
    view.dispatch({
      changes: { from: edit.from, to: edit.to, insert },
      selection: { anchor, head },
      scrollIntoView: true,
    });
  }
  return true;
}

/** What depends on the words that are known: completion, and marks for the others. */
function knowing(words: Words, api: Api) {
  return [
    autocompletion({ override: [(context) => complete(context, words, api)], icons: false }),
    ViewPlugin.fromClass(
      class {
        decorations: DecorationSet;
        constructor(view: EditorView) {
          this.decorations = decorated(view, words);
        }
        update(update: ViewUpdate) {
          if (update.docChanged) {
            this.decorations = decorated(update.view, words);
          }
        }
      },
      { decorations: (plugin) => plugin.decorations },
    ),
  ];
}

function decorated(view: EditorView, { vocabulary }: Words): DecorationSet {
  const text = view.state.doc.toString();
  const unknown = vocabulary ? unknownIn(text, vocabulary) : [];
  const marks = [...marksOf(text), ...unknown].sort((a, b) => a.from - b.from || b.to - a.to);
  const builder = new RangeSetBuilder<Decoration>();
  for (const { from, to, kind } of marks) {
    builder.add(from, to, decoration(kind));
  }
  return builder.finish();
}

function decoration(kind: MarkKind): Decoration {
  const title = kind === "unknown" ? { title: t.prompt.unknown } : {};
  return Decoration.mark({ attributes: { "data-mark": kind, ...title } });
}

function complete(context: CompletionContext, words: Words, api: Api) {
  const word = context.matchBefore(/[\p{L}\p{N}_:-]+/u);
  if (!word && !context.explicit) {
    return null;
  }
  const options: Completion[] = [
    ...words.embeddings.map((name) => ({
      label: `embedding:${name}`,
      detail: t.prompt.embedding,
      boost: 1,
    })),
    ...words.loras.map((name) => ({
      label: name,
      detail: t.prompt.lora,
      apply: writing(name, api),
    })),
    ...[...(words.vocabulary ?? [])]
      .filter((known) => /\p{L}{2}/u.test(known))
      .map((label) => ({ label, detail: t.prompt.known })),
  ];
  return { from: word?.from ?? context.pos, options, validFor: /^[\p{L}\p{N}_:-]*$/u };
}

/** A LoRA itself is loaded by a node: what is written are the words that it listens to. */
function writing(lora: string, api: Api) {
  return (view: EditorView, _: Completion, from: number, to: number) => {
    void writtenFor(api, lora).then((insert) =>
      view.dispatch({
        changes: { from, to, insert },
        selection: { anchor: from + insert.length },
      }),
    );
  };
}
