/** Painting a mask over a picture: brush, erase, invert, feather; saved as a new input picture. */

import { Brush, Contrast, Eraser, Trash2, Undo2, X } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { takeMask } from "@/app/uploads";
import type { Field } from "@/app/view";
import { useSchema, useView, useWorkbench } from "@/app/workbench";
import { setValue } from "@/document/commands";
import { inputOf } from "@/document/schema";
import {
  emptyMask,
  feathered,
  fromPixels,
  inverted,
  type Mask,
  type Point,
  stroke,
  toPixels,
} from "@/mask/mask";
import styles from "@/mask/mask.module.css";
import { type File, inputPicture, pictureUrl } from "@/runtime/picture";
import { Dialog } from "@/ui/Dialog";
import { IconButton } from "@/ui/IconButton";

const MOST_STEPS_BACK = 30;
const TINT = [46, 196, 182, 150] as const;

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
  const canvas = useRef<HTMLCanvasElement>(null);
  const [mask, setMask] = useState<Mask | null>(null);
  const [past, setPast] = useState<readonly Mask[]>([]);
  const [erase, setErase] = useState(false);
  const [size, setSize] = useState(24);
  const [feather, setFeather] = useState(0);
  const [busy, setBusy] = useState(false);
  const last = useRef<Point | null>(null);
  const [spot, setSpot] = useState<Point | null>(null);
  const close = () => workbench.view.setState({ mask: null });
  const url = pictureUrl(picture);

  useEffect(() => {
    let wanted = true;
    readMask(url).then(
      (found) => wanted && setMask(found),
      () => {
        workbench.runs.state.setState({ notice: "The picture could not be read." });
        workbench.view.setState({ mask: null });
      },
    );
    return () => {
      wanted = false;
    };
  }, [url, workbench]);
  useEffect(() => {
    if (mask && canvas.current) {
      draw(canvas.current, feathered(mask, feather));
    }
  }, [mask, feather]);

  const change = (next: Mask) => {
    if (mask) {
      setPast([...past, mask].slice(-MOST_STEPS_BACK));
    }
    setMask(next);
  };
  const back = () => {
    const before = past.at(-1);
    if (before) {
      setMask(before);
      setPast(past.slice(0, -1));
    }
  };
  const paint = (from: Point, to: Point, begins: boolean) => {
    if (mask) {
      const next = { ...mask, values: mask.values.slice() };
      stroke(next, from, to, size / 2, erase);
      if (begins) {
        change(next);
      } else {
        setMask(next);
      }
    }
  };
  const at = (event: PointerEvent<HTMLCanvasElement>): Point => {
    const box = event.currentTarget.getBoundingClientRect();
    const scale = (mask?.width ?? 1) / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const onDown = (event: PointerEvent<HTMLCanvasElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    last.current = at(event);
    paint(last.current, last.current, true);
  };
  const onMove = (event: PointerEvent<HTMLCanvasElement>) => {
    const to = at(event);
    setSpot(to);
    if (last.current) {
      paint(last.current, to, false);
      last.current = to;
    }
  };
  /** Arrows walk, Space paints a dot, Shift and an arrow paint a line. */
  const onCanvasKey = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    const from = spot ?? [(mask?.width ?? 0) / 2, (mask?.height ?? 0) / 2];
    if (by) {
      const to: Point = [from[0] + (by[0] * size) / 2, from[1] + (by[1] * size) / 2];
      setSpot(to);
      if (event.shiftKey) {
        paint(from, to, true);
      }
    } else if (event.key === " ") {
      paint(from, from, true);
    } else {
      return;
    }
    event.preventDefault();
  };
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
      workbench.document.apply({ ...command, label: "Paint mask", key: "" });
      close();
    }
  };
  return (
    <Dialog title="Mask" bare className={styles.mask} onClose={close} onKeyDown={onKeyDown}>
      <div className={styles.desk}>
        <div className={styles.stage}>
          <div
            className={styles.sheet}
            style={mask ? { aspectRatio: `${mask.width} / ${mask.height}` } : undefined}
          >
            <img src={url} alt={picture.filename} draggable={false} />
            <canvas
              ref={canvas}
              data-first
              data-testid="mask"
              aria-label="Mask: arrows move the brush, Space paints, Shift and arrows paint a line"
              tabIndex={0}
              width={mask?.width ?? 1}
              height={mask?.height ?? 1}
              onPointerDown={onDown}
              onPointerMove={onMove}
              onPointerUp={() => {
                last.current = null;
              }}
              onPointerLeave={() => setSpot(null)}
              onKeyDown={onCanvasKey}
            />
            {mask && spot && (
              <span
                className={styles.brush}
                style={{
                  left: `${(100 * spot[0]) / mask.width}%`,
                  top: `${(100 * spot[1]) / mask.height}%`,
                  width: `${(100 * size) / mask.width}%`,
                }}
              />
            )}
          </div>
        </div>
        <footer>
          <IconButton icon={Brush} label="Paint" pressed={!erase} onClick={() => setErase(false)} />
          <IconButton icon={Eraser} label="Erase" pressed={erase} onClick={() => setErase(true)} />
          <Slider
            label="Brush"
            value={size}
            min={2}
            max={mask ? mask.width / 2 : 128}
            onChange={setSize}
          />
          <Slider label="Feather" value={feather} min={0} max={64} onChange={setFeather} />
          <IconButton
            icon={Contrast}
            label="Invert the mask"
            onClick={() => mask && change(inverted(mask))}
          />
          <IconButton
            icon={Trash2}
            label="Clear the mask"
            onClick={() => mask && change(emptyMask(mask.width, mask.height))}
          />
          <IconButton
            icon={Undo2}
            label="Undo the stroke"
            keys="Ctrl+Z"
            disabled={past.length === 0}
            onClick={back}
          />
          <span className={styles.space} />
          <button
            type="button"
            className={styles.save}
            disabled={!mask || busy}
            onClick={() => void save()}
          >
            Use this mask
          </button>
          <IconButton icon={X} label="Close" onClick={close} />
        </footer>
      </div>
    </Dialog>
  );
}

const STEPS: Readonly<Record<string, Point>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

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

/** The mask that the picture has now, in the size of the picture. */
async function readMask(url: string): Promise<Mask> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const sheet = new OffscreenCanvas(width, height).getContext("2d");
  if (!sheet) {
    return emptyMask(width, height);
  }
  sheet.drawImage(image, 0, 0);
  return fromPixels(width, height, sheet.getImageData(0, 0, width, height).data);
}

function draw(canvas: HTMLCanvasElement, mask: Mask): void {
  const tinted = new Uint8ClampedArray(4 * mask.values.length);
  const [red, green, blue, most] = TINT;
  for (let at = 0; at < mask.values.length; at += 1) {
    tinted.set([red, green, blue, ((mask.values[at] ?? 0) * most) / 255], 4 * at);
  }
  canvas.getContext("2d")?.putImageData(new ImageData(tinted, mask.width, mask.height), 0, 0);
}

async function toPng(mask: Mask): Promise<Blob> {
  const sheet = new OffscreenCanvas(mask.width, mask.height);
  const pixels = new ImageData(toPixels(mask), mask.width, mask.height);
  sheet.getContext("2d")?.putImageData(pixels, 0, 0);
  return sheet.convertToBlob({ type: "image/png" });
}
