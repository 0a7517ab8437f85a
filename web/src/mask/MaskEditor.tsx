/** Painting a mask over a picture: brush, erase, invert, feather; saved as a new input picture. */

import { type KeyboardEvent, useState } from "react";
import { takeMask } from "@/app/uploads";
import type { Field } from "@/app/view";
import { useSchema, useView, useWorkbench } from "@/app/workbench";
import { setValue } from "@/document/commands";
import { inputOf } from "@/document/schema";
import { Board } from "@/mask/Board";
import { feathered } from "@/mask/mask";
import styles from "@/mask/mask.module.css";
import { toPng } from "@/mask/pixels";
import { Tools } from "@/mask/Tools";
import { type Brush, useStrokes } from "@/mask/useStrokes";
import { type File, inputPicture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";
import wall from "@/ui/wall.module.css";

export default function MaskEditor() {
  const field = useView((state) => state.mask);
  const { document } = useWorkbench();
  const value = field && document.sheet().nodes[field.node]?.inputs[field.input];
  return field && typeof value === "string" && value ? (
    <Editor field={field} picture={inputPicture(value)} />
  ) : null;
}

function Editor({ field, picture }: { field: Field; picture: File }) {
  const workbench = useWorkbench();
  const schema = useSchema();
  const [brush, setBrush] = useState<Brush>({ size: 24, erase: false });
  const [feather, setFeather] = useState(0);
  const [busy, setBusy] = useState(false);
  const close = () => workbench.view.setState({ mask: null });
  const strokes = useStrokes(pictureUrl(picture), () => {
    workbench.runs.state.setState({ notice: t.mask.unread });
    close();
  });
  const { mask, back, paint } = strokes;

  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      back();
    }
  };
  const save = async () => {
    const record = workbench.document.sheet().nodes[field.node];
    const input = inputOf(schema.nodes[record?.class_type ?? ""], field.input);
    if (!mask || !input) {
      return;
    }
    setBusy(true);
    const stored = await takeMask(workbench, await toPng(feathered(mask, feather)), picture, input);
    setBusy(false);
    if (stored !== undefined) {
      const command = setValue(field.node, field.input, stored);
      workbench.document.apply({ ...command, label: t.mask.title, key: "" });
      close();
    }
  };
  return (
    <Dialog title={t.mask.title} bare className={wall.wall} onClose={close} onKeyDown={onKeyDown}>
      <div className={styles.desk}>
        <Board
          picture={picture}
          mask={mask}
          feather={feather}
          size={brush.size}
          onPaint={(from, to, begins) => paint(brush, from, to, begins)}
        />
        <Tools
          strokes={strokes}
          brush={brush}
          onBrush={setBrush}
          feather={feather}
          onFeather={setFeather}
          busy={busy}
          onSave={() => void save()}
          onClose={close}
        />
      </div>
    </Dialog>
  );
}
