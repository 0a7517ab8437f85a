/** Wiring without a pointer: every connection the chosen node could have, as a list to type into. */

import { useMemo } from "react";
import { useSchema, useSheet, useView, useWorkbench } from "@/app/workbench";
import { candidates } from "@/document/candidates";
import { join } from "@/document/wiring";
import { t } from "@/strings/strings";
import { Dialog } from "@/ui/Dialog";
import { Picker } from "@/ui/Picker";

export function ConnectPanel() {
  const node = useView((state) => state.connectFrom);
  return node === null ? null : <Panel node={node} />;
}

function Panel({ node }: { node: string }) {
  const { document, view } = useWorkbench();
  const schema = useSchema();
  const sheet = useSheet((open) => open);
  const all = useMemo(() => candidates(schema, sheet, node), [schema, sheet, node]);
  const close = () => view.setState({ connectFrom: null });
  const find = (query: string) => {
    const words = query.toLowerCase().split(/\s+/);
    return all
      .filter(({ text }) => words.every((word) => text.toLowerCase().includes(word)))
      .map(({ text, wire }) => ({ key: text, text, wire }));
  };
  return (
    <Dialog title={t.connect.title} onClose={close}>
      <Picker
        label={t.connect.search}
        listLabel={t.connect.list}
        placeholder={t.connect.hint}
        none={t.connect.none}
        find={find}
        onChoose={({ wire }) => {
          document.apply(join(schema, sheet, wire));
          close();
        }}
      />
    </Dialog>
  );
}
