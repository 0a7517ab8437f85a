/** What can be done with what was clicked: from the one list of actions. */

import { Fragment, type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { nameOf } from "@/actions/action";
import { ACTIONS } from "@/actions/actions";
import { keyLabel } from "@/actions/keys";
import type { MenuRequest } from "@/app/view";
import { useView, useWorkbench } from "@/app/workbench";
import styles from "@/panels/panels.module.css";
import { t } from "@/strings/strings";
import { useOutside } from "@/ui/useOutside";

const MARGIN_PX = 8;

export function ContextMenu() {
  const request = useView((state) => state.menu);
  return request && <Menu key={request.at.join()} request={request} />;
}

function Menu({ request }: { request: MenuRequest }) {
  const workbench = useWorkbench();
  const menu = useRef<HTMLDivElement>(null);
  const [shift, setShift] = useState<readonly [number, number]>([0, 0]);
  const before = useRef(document.activeElement);
  const entries = ACTIONS.filter(
    (action) => action.menu?.includes(request.on) && (action.when?.(workbench) ?? true),
  );
  const close = () => workbench.view.setState({ menu: null });
  useOutside(menu, close);
  useLayoutEffect(() => {
    const box = menu.current?.getBoundingClientRect();
    if (box) {
      setShift([
        Math.min(0, innerWidth - MARGIN_PX - box.right),
        Math.min(0, innerHeight - MARGIN_PX - box.bottom),
      ]);
    }
  }, []);
  useEffect(() => {
    itemsOf(menu.current)[0]?.focus();
  }, []);

  const leave = () => {
    close();
    if (before.current instanceof HTMLElement) {
      before.current.focus({ preventScroll: true });
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const items = itemsOf(menu.current);
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      items.at(to % items.length)?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      leave();
    }
  };
  return (
    <div
      ref={menu}
      className={styles.menu}
      role="menu"
      tabIndex={-1}
      aria-label={t.menus[request.on]}
      style={{ left: request.at[0] + shift[0], top: request.at[1] + shift[1] }}
      onKeyDown={onKeyDown}
    >
      {entries.map((action, index) => (
        <Fragment key={action.id}>
          {index > 0 && entries[index - 1]?.group !== action.group && <hr />}
          <button
            type="button"
            role="menuitem"
            tabIndex={-1}
            onClick={() => {
              leave();
              action.run(workbench, request);
            }}
          >
            <span>{nameOf(action)}</span>
            {action.keys[0] && <kbd>{keyLabel(action.keys[0])}</kbd>}
          </button>
        </Fragment>
      ))}
    </div>
  );
}

function itemsOf(menu: HTMLElement | null): HTMLElement[] {
  return [...(menu?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
}
