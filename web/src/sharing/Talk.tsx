/** What the page has to say about workflows that go out as links or come in from elsewhere. */

import { useEffect, useRef, useState } from "react";
import type { Talk as Subject } from "@/app/view";
import { useWorkbench } from "@/app/workbench";
import { fragmentOf } from "@/sharing/link";
import type { Report } from "@/sharing/report";
import styles from "@/sharing/sharing.module.css";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";

/** Some programs cut longer links off. */
const LONG_LINK = 8000;

export default function Talk({ subject }: { subject: Subject }) {
  const { view } = useWorkbench();
  const close = () => view.setState({ talk: null });
  switch (subject.about) {
    case "link":
      return (
        <Dialog title={t.actions.link} onClose={close}>
          <Link />
        </Dialog>
      );
    case "arrived":
      return (
        <Dialog title={t.sharing.arrived} onClose={close}>
          <p className={styles.text}>{t.sharing.beside}</p>
          <div className={styles.buttons}>
            <a
              data-first
              className={styles.main}
              href={subject.href}
              target="_blank"
              rel="noopener"
              onClick={close}
            >
              {t.sharing.newTab}
            </a>
            <button type="button" onClick={close}>
              {t.sharing.notNow}
            </button>
          </div>
        </Dialog>
      );
    case "report":
      return (
        <Dialog title={t.sharing.report(subject.report.name)} onClose={close}>
          <Told report={subject.report} />
        </Dialog>
      );
  }
}

function Link() {
  const { document } = useWorkbench();
  const [link, setLink] = useState("");
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    void fragmentOf(document.workflow()).then((fragment) =>
      setLink(`${location.origin}${location.pathname}${fragment}`),
    );
  }, [document]);
  useEffect(() => {
    if (link) {
      field.current?.select();
    }
  }, [link]);
  const copy = () => {
    navigator.clipboard.writeText(link).then(
      () => setCopied(true),
      () => field.current?.select(), // where the browser forbids it, Ctrl+C still copies
    );
  };
  return (
    <>
      <p className={styles.text}>{t.sharing.within}</p>
      <input
        ref={field}
        data-first
        readOnly
        className={styles.link}
        aria-label={t.sharing.link}
        value={link}
      />
      {link.length > LONG_LINK && <p className={styles.text}>{t.sharing.long(link.length)}</p>}
      <div className={styles.buttons}>
        <button type="button" className={styles.main} disabled={!link} onClick={copy}>
          {copied ? t.sharing.copied : t.sharing.copy}
        </button>
        <a href={link} target="_blank" rel="noopener">
          {t.sharing.newTab}
        </a>
      </div>
    </>
  );
}

function Told({ report }: { report: Report }) {
  const { guesses, classes, files } = report;
  const fine = guesses.length + classes.length + files.length === 0;
  return (
    <div className={styles.report}>
      {fine && <p className={styles.text}>{t.sharing.fine}</p>}
      <List title={t.sharing.classes} lines={classes} />
      <List
        title={t.sharing.files}
        lines={files.map(({ name, folder, hash }) => t.sharing.file(name, folder, hash ?? ""))}
      />
      <List title={t.sharing.guesses} lines={guesses} />
    </div>
  );
}

function List({ title, lines }: { title: string; lines: readonly string[] }) {
  return lines.length === 0 ? null : (
    <section>
      <h3>{`${title} (${lines.length})`}</h3>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </section>
  );
}
