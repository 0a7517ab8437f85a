/** A seed: a number with a die that says whether each run draws a new one. */

import { Dices, ListPlus, Lock } from "lucide-react";
import { useRecord, useWorkbench } from "@/app/workbench";
import { setMeta } from "@/document/commands";
import { t } from "@/strings/strings";
import { NumberField } from "@/widgets/NumberField";
import type { WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

export function SeedField(props: WidgetProps) {
  const { document } = useWorkbench();
  const control = useRecord(props.node)?._meta.seed_control ?? "fixed";
  const kept = control === "fixed";
  const toggle = () => {
    const label = kept ? t.widgets.drawSeed : t.widgets.keepSeed;
    document.apply(setMeta(props.node, label, { seed_control: kept ? "randomize" : "fixed" }));
  };
  return (
    <>
      <button
        type="button"
        className={styles.die}
        aria-pressed={!kept}
        aria-label={t.widgets.dice(props.nodeTitle)}
        title={t.widgets.seeds[control]}
        onClick={toggle}
      >
        {control === "randomize" && <Dices size={14} />}
        {control === "increment" && <ListPlus size={14} />}
        {kept && <Lock size={12} />}
      </button>
      <NumberField {...props} />
    </>
  );
}
