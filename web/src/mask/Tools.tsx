/** The tools below the picture whose mask is painted. */

import { Brush as BrushIcon, Contrast, Eraser, Trash2, Undo2, X } from "lucide-react";
import { emptyMask, inverted } from "@/mask/mask";
import styles from "@/mask/mask.module.css";
import type { Brush, Strokes } from "@/mask/useStrokes";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

interface ToolsProps {
  strokes: Strokes;
  brush: Brush;
  onBrush: (brush: Brush) => void;
  feather: number;
  onFeather: (feather: number) => void;
  busy: boolean;
  onSave: () => void;
  onClose: () => void;
}

export function Tools(props: ToolsProps) {
  const { strokes, brush, onBrush, feather, onFeather, busy, onSave, onClose } = props;
  const { mask, canGoBack, change, back } = strokes;
  const { size, erase } = brush;
  return (
    <footer>
      <IconButton
        icon={BrushIcon}
        label={t.mask.paint}
        pressed={!erase}
        onClick={() => onBrush({ size, erase: false })}
      />
      <IconButton
        icon={Eraser}
        label={t.mask.erase}
        pressed={erase}
        onClick={() => onBrush({ size, erase: true })}
      />
      <Slider
        label={t.mask.brush}
        value={size}
        min={2}
        max={mask ? mask.width / 2 : 128}
        onChange={(next) => onBrush({ size: next, erase })}
      />
      <Slider label={t.mask.feather} value={feather} min={0} max={64} onChange={onFeather} />
      <IconButton
        icon={Contrast}
        label={t.mask.invert}
        onClick={() => mask && change(inverted(mask))}
      />
      <IconButton
        icon={Trash2}
        label={t.mask.clear}
        onClick={() => mask && change(emptyMask(mask.width, mask.height))}
      />
      <IconButton
        icon={Undo2}
        label={t.mask.back}
        keys="Ctrl+Z"
        disabled={!canGoBack}
        onClick={back}
      />
      <span className={styles.space} />
      <button type="button" className={styles.save} disabled={!mask || busy} onClick={onSave}>
        {t.mask.use}
      </button>
      <IconButton icon={X} label={t.dialog.close} onClick={onClose} />
    </footer>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
}

function Slider({ label, value, min, max, onChange }: SliderProps) {
  return (
    <label className={styles.slider}>
      {label}
      <input
        type="range"
        min={min}
        max={Math.max(min + 1, Math.round(max))}
        step={1}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
      />
      <span>{`${value} px`}</span>
    </label>
  );
}
