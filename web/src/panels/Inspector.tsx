/** All about the chosen node or frame: its title, when it runs, how its seed is chosen, every value. */

import { chosenFrames } from "@/actions/action";
import {
  useDocument,
  useRecord,
  useSchema,
  useStatus,
  useView,
  useWorkbench,
} from "@/app/workbench";
import { type Command, setMeta, setValue } from "@/document/commands";
import { setFrame } from "@/document/frames";
import { defaultOf, type InputSpec } from "@/document/schema";
import {
  type Frame,
  isLink,
  type Json,
  type NodeId,
  type NodeRecord,
  type SeedControl,
  titleOf,
} from "@/document/types";
import { FieldLabel, FieldSwitch, ResultSwitch } from "@/panels/FormSwitch";
import { About } from "@/panels/Help";
import styles from "@/panels/side.module.css";
import { kindOf } from "@/widgets/kinds";
import { WIDGETS } from "@/widgets/registry";

const MODES: readonly (readonly [string, string])[] = [
  ["always", "Always"],
  ["mute", "Never: left out"],
  ["bypass", "Never: bypassed"],
];

const SEEDS: readonly (readonly [SeedControl, string])[] = [
  ["fixed", "Kept"],
  ["randomize", "Drawn anew for each run"],
  ["increment", "The next for each run"],
];

export default function Inspector() {
  const workbench = useWorkbench();
  const selection = useView((state) => state.selection);
  useView((state) => state.frames);
  useDocument((state) => state.workflow.frames);
  const [node] = selection;
  const [frame] = chosenFrames(workbench);
  if (selection.length > 1) {
    return <p className={styles.hint}>{`${selection.length} nodes are chosen.`}</p>;
  }
  if (node !== undefined) {
    return <NodeInspector key={node} id={node} />;
  }
  return frame ? (
    <FrameInspector key={frame.id} frame={frame} />
  ) : (
    <p className={styles.hint}>Choose a node or a frame to see all about it.</p>
  );
}

function NodeInspector({ id }: { id: NodeId }) {
  const { document } = useWorkbench();
  const schema = useSchema();
  const record = useRecord(id);
  const { error } = useStatus(id);
  if (!record) {
    return null;
  }
  const spec = schema.nodes[record.class_type];
  const { mode = "always", seed_control: control = "fixed" } = record._meta;
  const fields = (spec?.inputs ?? []).filter((input) => !input.socket);
  return (
    <div className={styles.scroll}>
      {error && <p className={styles.error}>{error}</p>}
      {!spec && <p className={styles.error}>{`${record.class_type} is not installed here.`}</p>}
      <TitleField
        value={record._meta.title ?? ""}
        placeholder={spec?.title ?? record.class_type}
        onChange={(title) =>
          document.apply(typing(`title:${id}`, setMeta(id, "Rename node", { title })))
        }
      />
      <Choice
        label="Runs"
        value={mode === "never" ? "mute" : mode}
        choices={MODES}
        onChange={(next) => document.apply(setMeta(id, "Change when it runs", { mode: next }))}
      />
      {fields.some((input) => input.seed) && (
        <Choice
          label="Seed is"
          value={control}
          choices={SEEDS}
          onChange={(next) =>
            document.apply(setMeta(id, "Change how the seed is chosen", { seed_control: next }))
          }
        />
      )}
      {fields.map((input) => (
        <Value key={input.name} node={id} record={record} input={input} />
      ))}
      {spec?.effect && <ResultSwitch node={id} title={titleOf(record, spec.title)} />}
      {spec && (
        <details className={styles.about}>
          <summary>About this node</summary>
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
  const source = useDocument((state) =>
    isLink(value) ? state.workflow.nodes[value[0]] : undefined,
  );
  const problem = useStatus(node).inputErrors[input.name];
  const kind = kindOf(input);
  const Widget = WIDGETS[kind];
  const title = titleOf(record, schema.nodes[record.class_type]?.title);
  return (
    <div className={styles.value} data-kind={kind}>
      <span className={styles.valueLabel}>{input.title}</span>
      <div className={styles.widget}>
        {isLink(value) ? (
          <span className={styles.driven}>
            {source ? `from ${titleOf(source, schema.nodes[source.class_type]?.title)}` : "wired"}
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
        <FieldSwitch node={node} input={input.name} title={input.title} />
      </div>
      <FieldLabel node={node} input={input.name} />
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
        placeholder="Frame"
        onChange={(next) =>
          document.apply(typing(`frame:${id}`, setFrame(id, "Rename frame", { title: next })))
        }
      />
      <label className={styles.value} data-kind="paragraph">
        <span className={styles.valueLabel}>Note</span>
        <textarea
          className={styles.noteField}
          value={text}
          placeholder="What the frame is for"
          onChange={(event) =>
            document.apply(
              typing(`note:${id}`, setFrame(id, "Change note", { text: event.target.value })),
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
      <span className={styles.valueLabel}>Title</span>
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
