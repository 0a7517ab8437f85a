/** Who is at work, who waits and in which order, and what ended badly: to be moved, held, cancelled, repeated. */

import { ArrowDown, ArrowUp, Pause, Play, RotateCw, X } from "lucide-react";
import { useEffect } from "react";
import { useActivity, useRuns, useWorkbench, type Workbench } from "@/app/workbench";
import styles from "@/panels/side.module.css";
import { tabId } from "@/runtime/ids";
import { type JobText, numberAt } from "@/runtime/records";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

const MOST_TROUBLED = 5;

export default function Queue() {
  const workbench = useWorkbench();
  const { running, pending, paused, records, known, error } = useActivity((state) => state);
  useEffect(() => workbench.activity.watch("queue"), [workbench]);
  useEffect(() => workbench.activity.watch("history"), [workbench]);
  const troubled = records.filter(({ trouble }) => trouble !== null).slice(0, MOST_TROUBLED);
  const move = (from: number, to: number) => {
    const { id } = pending[from] ?? {};
    if (id !== undefined && to >= 0 && to < pending.length) {
      act(workbench, ({ api }) => api.move(id, numberAt(pending, from, to)));
    }
  };
  const clear = () =>
    act(workbench, async ({ api, runs }) => {
      await api.clearQueue();
      runs.taken(pending.map(({ id }) => id));
    });
  return (
    <div className={styles.scroll}>
      {error && <p className={styles.error}>{error}</p>}
      <button
        type="button"
        className={styles.pause}
        aria-pressed={paused}
        onClick={() => act(workbench, ({ api }) => api.pause(!paused))}
      >
        {paused ? <Play size={13} /> : <Pause size={13} />}
        {paused ? t.queue.resume : t.queue.hold}
      </button>
      {known.queue && running.length + pending.length === 0 && (
        <p className={styles.empty}>{t.queue.empty}</p>
      )}
      {running.length > 0 && (
        <section aria-label={t.queue.running}>
          <h3 className={styles.heading}>{t.queue.running}</h3>
          <ul className={styles.jobs}>
            {running.map((job) => (
              <Row
                key={job.id}
                job={job}
                place="▸"
                onCancel={() => act(workbench, ({ api }) => api.interrupt(job.id))}
              />
            ))}
          </ul>
        </section>
      )}
      {pending.length > 0 && (
        <section aria-label={t.queue.waiting}>
          <div className={styles.headingRow}>
            <h3 className={styles.heading}>
              {`${paused ? t.queue.held : t.queue.waiting}, ${pending.length}`}
            </h3>
            <button type="button" className={styles.quiet} onClick={clear}>
              {t.queue.clear}
            </button>
          </div>
          <ol className={styles.jobs}>
            {pending.map((job, index) => (
              <Row
                key={job.id}
                job={job}
                place={String(index + 1)}
                onMove={(by) => move(index, index + by)}
                first={index === 0}
                last={index === pending.length - 1}
                onCancel={() =>
                  act(workbench, async ({ api, runs }) => {
                    await api.dequeue([job.id]);
                    runs.taken([job.id]);
                  })
                }
              />
            ))}
          </ol>
        </section>
      )}
      {troubled.length > 0 && (
        <section aria-label={t.queue.unfinished}>
          <h3 className={styles.heading}>{t.queue.unfinished}</h3>
          <ul className={styles.jobs}>
            {troubled.map((job) => (
              <Row
                key={job.id}
                job={job}
                place=""
                note={job.trouble ?? ""}
                onRetry={() => act(workbench, ({ api }) => api.retry(job.id, tabId()))}
              />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

/** Do it, tell if it failed, and look at the queue again. */
function act(workbench: Workbench, change: (workbench: Workbench) => Promise<void>): void {
  change(workbench).then(
    () => workbench.activity.refresh(),
    (cause: unknown) => workbench.runs.state.setState({ notice: t.queue.unreached(String(cause)) }),
  );
}

interface RowProps {
  job: JobText;
  place: string;
  note?: string;
  first?: boolean;
  last?: boolean;
  onMove?: (by: number) => void;
  onCancel?: () => void;
  onRetry?: () => void;
}

function Row({ job, place, note = "", first, last, onMove, onCancel, onRetry }: RowProps) {
  const own = useRuns((state) => state.jobs.some(({ id }) => id === job.id));
  const name = job.prompt || t.queue.wordless;
  const notes = [note, own ? t.queue.own : "", job.seed === null ? "" : t.queue.seed(job.seed)];
  const small = notes.filter(Boolean).join(" · ");
  return (
    <li>
      {place && (
        <span className={styles.place} aria-hidden="true">
          {place}
        </span>
      )}
      <span className={styles.job}>
        <span title={name}>{name}</span>
        <small title={small}>{small}</small>
      </span>
      {onMove && (
        <>
          <IconButton
            icon={ArrowUp}
            label={t.queue.earlier(name)}
            disabled={first}
            onClick={() => onMove(-1)}
          />
          <IconButton
            icon={ArrowDown}
            label={t.queue.later(name)}
            disabled={last}
            onClick={() => onMove(1)}
          />
        </>
      )}
      {onRetry && <IconButton icon={RotateCw} label={t.queue.again(name)} onClick={onRetry} />}
      {onCancel && <IconButton icon={X} label={t.queue.cancel(name)} onClick={onCancel} />}
    </li>
  );
}
