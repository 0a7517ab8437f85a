/** In the inspector: whether the form shows an input or a result, and what it calls the input. */

import { ArrowDown, ArrowUp, TextCursorInput } from "lucide-react";
import { useDocument, useWorkbench } from "@/app/workbench";
import {
  fieldAt,
  hideField,
  hideResult,
  labelField,
  labelOfField,
  moveField,
  publicName,
  resultAt,
  showField,
  showResult,
} from "@/document/form";
import type { NodeId } from "@/document/types";
import styles from "@/panels/formSwitch.module.css";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

interface FieldProps {
  node: NodeId;
  input: string;
  title: string;
}

/** The switch of one input. */
export function FieldSwitch({ node, input, title }: FieldProps) {
  const { document } = useWorkbench();
  const name = useDocument((state) => fieldAt(state.workflow, node, input));
  const toggle = () => {
    const { parameters } = document.workflow();
    document.apply(
      name === undefined
        ? showField(publicName(parameters, title), { node, input, label: title })
        : hideField(name),
    );
  };
  return (
    <IconButton
      icon={TextCursorInput}
      label={t.form.show(title)}
      pressed={name !== undefined}
      onClick={toggle}
    />
  );
}

/** What the form calls an input that it shows, and its place there. */
export function FieldLabel({ node, input }: Omit<FieldProps, "title">) {
  const { document } = useWorkbench();
  const name = useDocument((state) => fieldAt(state.workflow, node, input));
  const parameters = useDocument((state) => state.workflow.parameters);
  const place = name === undefined ? undefined : parameters[name];
  if (name === undefined || !place) {
    return null;
  }
  const order = Object.keys(parameters);
  return (
    <div className={styles.formLabel}>
      <input
        aria-label={t.form.label}
        autoComplete="off"
        value={place.label ?? ""}
        placeholder={labelOfField(name, {})}
        onChange={(event) => document.apply(labelField(name, event.target.value))}
      />
      <IconButton
        icon={ArrowUp}
        label={t.form.up}
        disabled={order[0] === name}
        onClick={() => document.apply(moveField(name, -1))}
      />
      <IconButton
        icon={ArrowDown}
        label={t.form.down}
        disabled={order.at(-1) === name}
        onClick={() => document.apply(moveField(name, 1))}
      />
    </div>
  );
}

/** The switch of a node that shows a picture. */
export function ResultSwitch({ node, title }: { node: NodeId; title: string }) {
  const { document } = useWorkbench();
  const name = useDocument((state) => resultAt(state.workflow, node));
  const toggle = () => {
    const { results } = document.workflow();
    document.apply(
      name === undefined
        ? showResult(publicName(results, title), { node, output: 0 })
        : hideResult(name),
    );
  };
  return (
    <label className={styles.resultSwitch}>
      <input type="checkbox" checked={name !== undefined} onChange={toggle} />
      {t.form.showResult}
    </label>
  );
}
