/** A seed: a number with a die that says whether each run draws a new one. */

import { Dices, ListPlus, Lock } from "lucide-react";
import { useRecord, useWorkbench } from "@/app/workbench";
import { setMeta } from "@/document/commands";
import { NumberField } from "@/widgets/NumberField";
import type { WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

const SAID = {
  randomize: "Each run draws a new seed. Click to keep this one.",
  increment: "Each run takes the next seed. Click to keep this one.",
  fixed: "This seed is kept. Click to draw a new one for each run.",
} as const;

export function SeedField(props: WidgetProps) {
  const { document } = useWorkbench();
  const control = useRecord(props.node)?._meta.seed_control ?? "fixed";
  const kept = control === "fixed";
  const toggle = () => {
    const label = kept ? "Draw a seed for each run" : "Keep the seed";
    document.apply(setMeta(props.node, label, { seed_control: kept ? "randomize" : "fixed" }));
  };
  return (
    <>
      <button
        type="button"
        className={styles.die}
        aria-pressed={!kept}
        aria-label={`Dice of ${props.nodeTitle}`}
        title={SAID[control]}
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
