/** What stands beside the sheet: the queue, the earlier results or the inspector, fetched when first asked for. */

import { X } from "lucide-react";
import { type KeyboardEvent, lazy, Suspense, useEffect, useRef } from "react";
import { nameOf } from "@/actions/action";
import { actionOf } from "@/actions/actions";
import styles from "@/app/app.module.css";
import type { Side } from "@/app/view";
import { useView, useWorkbench } from "@/app/workbench";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

const CONTENTS = {
  queue: lazy(() => import("@/panels/Queue")),
  history: lazy(() => import("@/panels/History")),
  inspector: lazy(() => import("@/panels/Inspector")),
} as const;

export function SidePanel() {
  const side = useView((state) => state.side);
  return side && <Panel key={side} side={side} />;
}

function Panel({ side }: { side: Side }) {
  const { view } = useWorkbench();
  const title = nameOf(actionOf(side));
  const panel = useRef<HTMLElement>(null);
  const Content = CONTENTS[side];
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);
  const close = () => view.setState({ side: null });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" && !event.defaultPrevented) {
      close();
    }
  };
  return (
    <aside
      ref={panel}
      className={styles.side}
      tabIndex={-1}
      aria-label={title}
      onKeyDown={onKeyDown}
    >
      <header>
        <h2>{title}</h2>
        <IconButton icon={X} label={t.shell.close(title)} onClick={close} />
      </header>
      <Suspense fallback={null}>
        <Content />
      </Suspense>
    </aside>
  );
}
