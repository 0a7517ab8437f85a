/** Wiring without a pointer: every connection the chosen node could have, as a list to type into. */

import { useMemo } from "react";
import { useDocument, useSchema, useView, useWorkbench } from "@/app/workbench";
import { candidates } from "@/document/candidates";
import { connect } from "@/document/commands";
import { Dialog } from "@/ui/Dialog";
import { Picker } from "@/ui/Picker";

export function ConnectPanel() {
  const node = useView((state) => state.connectFrom);
  return node === null ? null : <Panel node={node} />;
}

function Panel({ node }: { node: string }) {
  const { document, view } = useWorkbench();
  const schema = useSchema();
  const workflow = useDocument((state) => state.workflow);
  const all = useMemo(() => candidates(schema, workflow, node), [schema, workflow, node]);
  const close = () => view.setState({ connectFrom: null });
  const find = (query: string) => {
    const words = query.toLowerCase().split(/\s+/);
    return all
      .filter(({ text }) => words.every((word) => text.toLowerCase().includes(word)))
      .map(({ text, wire }) => ({ key: text, text, wire }));
  };
  return (
    <Dialog title="Connect" onClose={close}>
      <Picker
        label="Search connections"
        listLabel="Connections"
        placeholder="From which socket to which"
        none="Nothing else here fits this node."
        find={find}
        onChoose={({ wire }) => {
          document.apply(connect(wire));
          close();
        }}
      />
    </Dialog>
  );
}
