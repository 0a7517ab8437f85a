/** What is shown when something in the page breaks: the work is safe, and here is the way back. */

import { Component, type ReactNode } from "react";
import { Fatal } from "@/app/Fatal";
import { t } from "@/strings/strings";

export class ErrorBoundary extends Component<{ children: ReactNode }, { cause: unknown }> {
  override state: { cause: unknown } = { cause: null };

  static getDerivedStateFromError(cause: unknown): { cause: unknown } {
    return { cause };
  }

  override render(): ReactNode {
    if (this.state.cause === null) {
      return this.props.children;
    }
    return <Fatal title={t.shell.broke} text={t.shell.kept(String(this.state.cause))} />;
  }
}
