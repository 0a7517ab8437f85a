/** The part of the address after `#`: which page is shown. */

import type { Page, ViewStore } from "@/app/view";

/** The page that an address asks for. */
export function pageOf(hash: string): Page {
  return hash === "#form" ? "form" : "canvas";
}

/** Keep the address and the page that is shown in step, so that Back and a bookmark work. */
export function followAddress(view: ViewStore): void {
  view.setState({ page: pageOf(location.hash) });
  addEventListener("popstate", () => view.setState({ page: pageOf(location.hash) }));
  view.subscribe(({ page }) => {
    if (page !== pageOf(location.hash)) {
      const plain = `${location.pathname}${location.search}`;
      history.pushState(null, "", page === "form" ? `${plain}#form` : plain);
    }
  });
}
