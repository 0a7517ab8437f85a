/** One field of the form, made from what the schema says about the input it stands for. */

import { Dices } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { useDocument, useRecord, useSchema, useStatus, useWorkbench } from "@/app/workbench";
import { setMeta, setValue } from "@/document/commands";
import { labelOfField } from "@/document/form";
import { defaultOf, type InputSpec, inputOf } from "@/document/schema";
import { isLink, type Json, type Parameter, titleOf } from "@/document/types";
import styles from "@/form/field.module.css";
import { reachOf } from "@/form/reach";
import { randomSeed } from "@/runtime/ids";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";
import { kindOf } from "@/widgets/kinds";
import { WIDGETS } from "@/widgets/registry";
import type { WidgetProps } from "@/widgets/widget";

export function Field({ name, place }: { name: string; place: Parameter }) {
  const { document } = useWorkbench();
  const schema = useSchema();
  const record = useRecord(place.node);
  const problem = useStatus(place.node).inputErrors[place.input];
  const spec = schema.nodes[record?.class_type ?? ""];
  const input = inputOf(spec, place.input);
  const label = labelOfField(name, place);
  if (!record || !input) {
    return <Row label={label} kind="line" problem={t.form.gone} />;
  }
  const value = record.inputs[input.name];
  const kind = kindOf(input);
  if (isLink(value)) {
    return (
      <Row label={label} kind="line">
        <Driven source={value[0]} />
      </Row>
    );
  }
  const props: WidgetProps = {
    node: place.node,
    nodeTitle: titleOf(record, spec?.title),
    input,
    label,
    value: (value as Json | undefined) ?? defaultOf(input) ?? null,
    onChange: (next, gesture) =>
      void document.apply(setValue(place.node, input.name, next, gesture)),
  };
  const Widget = WIDGETS[kind];
  return (
    <Row label={label} kind={kind} help={input.help} problem={problem}>
      {kind === "seed" ? <Seed {...props} /> : <Widget {...props} />}
      {(kind === "integer" || kind === "decimal") && <Slider {...props} />}
    </Row>
  );
}

interface RowProps {
  label: string;
  kind: string;
  help?: string;
  problem?: string | undefined;
  children?: ReactNode;
}

function Row({ label, kind, help, problem, children }: RowProps) {
  const told = problem ?? help;
  return (
    <div className={styles.field} data-kind={kind}>
      <span className={styles.label}>{label}</span>
      <div className={styles.widget}>{children}</div>
      {told && <small data-problem={problem ? true : undefined}>{told}</small>}
    </div>
  );
}

function Driven({ source }: { source: string }) {
  const schema = useSchema();
  const record = useDocument((state) => state.workflow.nodes[source]);
  const title = record ? titleOf(record, schema.nodes[record.class_type]?.title) : source;
  return <span className={styles.driven}>{t.form.driven(title)}</span>;
}

let slides = 0;

/** A slider over the usual values; the number beside it takes any. */
function Slider({ input, value, label = "", onChange }: WidgetProps) {
  const gesture = useRef<string | undefined>(undefined);
  const reach = reachOf(input);
  if (!reach || typeof value !== "number") {
    return null;
  }
  const slide = (text: string) => onChange(Number(text), gesture.current);
  return (
    <input
      type="range"
      className={styles.slider}
      aria-label={t.form.slider(label)}
      min={reach.min}
      max={reach.max}
      step={reach.step}
      value={value}
      onPointerDown={() => {
        slides += 1;
        gesture.current = `slide:${slides}`;
      }}
      onPointerUp={() => {
        gesture.current = undefined;
      }}
      onChange={(event) => slide(event.target.value)}
    />
  );
}

/** A seed with dice: drawn once by a click, or for each run. */
function Seed(props: WidgetProps) {
  const { document } = useWorkbench();
  const anew = (useRecord(props.node)?._meta.seed_control ?? "fixed") !== "fixed";
  const Whole = WIDGETS.integer;
  const change = (checked: boolean) =>
    document.apply(
      setMeta(props.node, t.form.anew, { seed_control: checked ? "randomize" : "fixed" }),
    );
  return (
    <>
      <div className={styles.seed}>
        <Whole {...props} />
        <IconButton
          icon={Dices}
          label={t.form.draw}
          onClick={() => props.onChange(randomSeed(largest(props.input)))}
        />
      </div>
      <label className={styles.check}>
        <input type="checkbox" checked={anew} onChange={(event) => change(event.target.checked)} />
        {t.form.anew}
      </label>
    </>
  );
}

function largest({ max }: InputSpec): number {
  return max ?? Number.MAX_SAFE_INTEGER;
}
