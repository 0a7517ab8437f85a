/** A picture from the input folder: choose it, drop it here, or pick a file; it shows itself. */

import { Brush, ImagePlus } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { takeUpload } from "@/app/uploads";
import { useWorkbench } from "@/app/workbench";
import { carried, fileOf } from "@/runtime/carried";
import { inputPicture, pictureUrl } from "@/runtime/picture";
import { t } from "@/strings/strings";
import { ComboField } from "@/widgets/fields";
import { labelOf, type WidgetProps } from "@/widgets/widget";
import styles from "@/widgets/widgets.module.css";

export function ImageField(props: WidgetProps) {
  const workbench = useWorkbench();
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const name = String(props.value ?? "");

  const take = async (file: File | undefined) => {
    if (file) {
      const stored = await takeUpload(workbench, file, props.input);
      if (stored !== undefined) {
        props.onChange(stored);
      }
    }
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    const picture = carried(event.dataTransfer);
    if (picture) {
      fileOf(picture).then(take, (cause: unknown) => {
        const notice = t.files.notUploaded(picture.filename, String(cause));
        workbench.runs.state.setState({ notice });
      });
    } else {
      void take(event.dataTransfer.files[0]);
    }
  };
  const onDragOver = (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(true);
  };

  return (
    <fieldset
      aria-label={labelOf(props)}
      className={styles.image}
      data-over={over || undefined}
      onDragOver={onDragOver}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <div className={styles.imageRow}>
        <ComboField {...props} />
        <button
          type="button"
          className={styles.die}
          aria-label={t.widgets.chooseFor(labelOf(props))}
          title={t.widgets.choose}
          onClick={() => picker.current?.click()}
        >
          <ImagePlus size={14} />
        </button>
        {name && (
          <button
            type="button"
            className={styles.die}
            aria-label={t.widgets.maskFor(labelOf(props))}
            title={t.actions.mask}
            onClick={() =>
              workbench.view.setState({ mask: { node: props.node, input: props.input.name } })
            }
          >
            <Brush size={14} />
          </button>
        )}
      </div>
      <input
        ref={picker}
        type="file"
        accept="image/*"
        hidden
        aria-label={t.widgets.fileFor(labelOf(props))}
        onChange={(event) => void take(event.target.files?.[0])}
      />
      <div className={styles.thumbnail}>
        {name ? (
          <img src={pictureUrl(inputPicture(name))} alt={name} draggable={false} />
        ) : (
          <span>{t.widgets.drop}</span>
        )}
      </div>
    </fieldset>
  );
}
