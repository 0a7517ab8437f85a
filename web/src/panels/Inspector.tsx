/** All about the chosen node or frame: its title, when it runs, how its seed is chosen, every value. */

import { chosenFrames } from "@/actions/action";
import {
  useRecord,
  useRunId,
  useSchema,
  useSheet,
  useStatus,
  useView,
  useWorkbench,
} from "@/app/workbench";
import { type Command, setMeta, setValue } from "@/document/commands";
import { setFrame } from "@/document/frames";
import { defaultOf, type InputSpec } from "@/document/schema";
import { isEdge, isEntrance } from "@/document/subgraphs";
import {
  type Frame,
  isLink,
  type Json,
  type NodeId,
  type NodeRecord,
  titleOf,
} from "@/document/types";
import { Ends, PromoteButton } from "@/panels/Ends";
import { FieldLabel, FieldSwitch, ResultSwitch } from "@/panels/FormSwitch";
import { About } from "@/panels/Help";
import styles from "@/panels/side.module.css";
import { t } from "@/strings/strings";
import { kindOf } from "@/widgets/kinds";
import { WIDGETS } from "@/widgets/registry";

const MODES = ["always", "mute", "bypass"] as const;
const SEEDS = ["fixed", "randomize", "increment"] as const;

export default function Inspector() {
  const workbench = useWorkbench();
  const selection = useView((state) => state.selection);
  useView((state) => state.frames);
  useSheet((sheet) => sheet.frames);
  const [node] = selection;
  const [frame] = chosenFrames(workbench);
  if (selection.length > 1) {
    return <p className={styles.hint}>{t.inspector.several(selection.length)}</p>;
  }
  if (node !== undefined) {
    return <NodeInspector key={node} id={node} />;
  }
  return frame ? (
    <FrameInspector key={frame.id} frame={frame} />
  ) : (
    <p className={styles.hint}>{t.inspector.none}</p>
  );
}

function NodeInspector({ id }: { id: NodeId }) {
  const { document } = useWorkbench();
  const schema = useSchema();
  const record = useRecord(id);
  const run = useRunId(id);
  const { error, notes } = useStatus(run);
  if (!record) {
    return null;
  }
  if (isEdge(record)) {
    return <Ends side={isEntrance(record) ? "inputs" : "outputs"} />;
  }
  const spec = schema.nodes[record.class_type];
  const { mode = "always", seed_control: control = "fixed" } = record._meta;
  const fields = (spec?.inputs ?? []).filter((input) => !input.socket);
  return (
    <div className={styles.scroll}>
      {error && <p className={styles.error}>{error}</p>}
      {notes.map((note) => (
        <p key={note} className={styles.said}>
          {note}
        </p>
      ))}
      {!spec && <p className={styles.error}>{t.inspector.unknown(record.class_type)}</p>}
      <TitleField
        value={record._meta.title ?? ""}
        placeholder={spec?.title ?? record.class_type}
        onChange={(title) =>
          document.apply(typing(`title:${id}`, setMeta(id, t.steps.renameNode, { title })))
        }
      />
      <Choice
        label={t.inspector.runs}
        value={MODES.find((known) => known === mode) ?? "mute"}
        choices={MODES.map((known) => [known, t.inspector.modes[known]])}
        onChange={(next) => document.apply(setMeta(id, t.steps.mode, { mode: next }))}
      />
      {fields.some((input) => input.seed) && (
        <Choice
          label={t.inspector.seed}
          value={control}
          choices={SEEDS.map((known) => [known, t.inspector.seeds[known]])}
          onChange={(next) =>
            document.apply(setMeta(id, t.steps.seedControl, { seed_control: next }))
          }
        />
      )}
      {fields.map((input) => (
        <Value key={input.name} node={id} record={record} input={input} />
      ))}
      {spec?.effect && <ResultSwitch node={run} title={titleOf(record, spec.title)} />}
      {spec && (
        <details className={styles.about}>
          <summary>{t.inspector.about}</summary>
          <About spec={spec} schema={schema} />
        </details>
      )}
    </div>
  );
}

interface ValueProps {
  node: NodeId;
  record: NodeRecord;
  input: InputSpec;
}

function Value({ node, record, input }: ValueProps) {
  const { document } = useWorkbench();
  const schema = useSchema();
  const value = record.inputs[input.name];
  const source = useRecord(isLink(value) ? value[0] : "");
  const run = useRunId(node);
  const inside = run !== node; // the form is that of the whole workflow
  const problem = useStatus(run).inputErrors[input.name];
  const kind = kindOf(input);
  const Widget = WIDGETS[kind];
  const title = titleOf(record, schema.nodes[record.class_type]?.title);
  return (
    <div className={styles.value} data-kind={kind}>
      <span className={styles.valueLabel}>{input.title}</span>
      <div className={styles.widget}>
        {isLink(value) ? (
          <span className={styles.driven}>
            {source
              ? t.inspector.from(titleOf(source, schema.nodes[source.class_type]?.title))
              : t.inspector.wired}
          </span>
        ) : (
          <Widget
            node={node}
            nodeTitle={title}
            input={input}
            value={(value as Json | undefined) ?? defaultOf(input) ?? null}
            onChange={(next, gesture) => document.apply(setValue(node, input.name, next, gesture))}
          />
        )}
        {inside ? (
          <PromoteButton node={node} input={input} wired={isLink(value)} />
        ) : (
          <FieldSwitch node={node} input={input.name} title={input.title} />
        )}
      </div>
      {!inside && <FieldLabel node={node} input={input.name} />}
      {(problem ?? input.help) && (
        <small data-problem={problem ? true : undefined}>{problem ?? input.help}</small>
      )}
    </div>
  );
}

function FrameInspector({ frame }: { frame: Frame }) {
  const { document } = useWorkbench();
  const { id, title, text = "" } = frame;
  return (
    <div className={styles.scroll}>
      <TitleField
        value={title}
        placeholder={t.inspector.frame}
        onChange={(next) =>
          document.apply(typing(`frame:${id}`, setFrame(id, t.steps.renameFrame, { title: next })))
        }
      />
      <label className={styles.value} data-kind="paragraph">
        <span className={styles.valueLabel}>{t.inspector.note}</span>
        <textarea
          className={styles.noteField}
          value={text}
          placeholder={t.inspector.notePlaceholder}
          onChange={(event) =>
            document.apply(
              typing(`note:${id}`, setFrame(id, t.steps.note, { text: event.target.value })),
            )
          }
        />
      </label>
    </div>
  );
}

/** What is typed in one go is one step of the history. */
function typing(key: string, command: Command): Command {
  return { ...command, key };
}

interface TitleFieldProps {
  value: string;
  placeholder: string;
  onChange: (title: string) => void;
}

function TitleField({ value, placeholder, onChange }: TitleFieldProps) {
  return (
    <label className={styles.value}>
      <span className={styles.valueLabel}>{t.inspector.title}</span>
      <span className={styles.widget}>
        <input
          autoComplete="off"
          spellCheck={false}
          value={value}
          placeholder={placeholder}
          onChange={(event) => onChange(event.target.value)}
        />
      </span>
    </label>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <label className={styles.value}>
      <span className={styles.valueLabel}>{label}</span>
      <span className={styles.widget}>
        <select value={value} onChange={(event) => onChange(event.target.value as T)}>
          {choices.map(([choice, text]) => (
            <option key={choice} value={choice}>
              {text}
            </option>
          ))}
        </select>
      </span>
    </label>
  );
}
