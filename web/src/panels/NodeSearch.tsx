/** Finding a node to add: typed words, best match first; after a dropped wire only what fits it. */

import { type CSSProperties, useCallback, useRef } from "react";
import type { SearchRequest } from "@/app/view";
import { useSchema, useView, useWorkbench } from "@/app/workbench";
import { hueOf } from "@/canvas/hues";
import { search } from "@/definitions/search";
import { typeTitle } from "@/document/schema";
import { classOf, mayStand } from "@/document/subgraphs";
import type { Position } from "@/document/types";
import { typeAt } from "@/document/typing";
import styles from "@/panels/panels.module.css";
import { addFound, socketFor } from "@/panels/searchFit";
import { t } from "@/strings/strings";
import { Picker } from "@/ui/Picker";
import { useOutside } from "@/ui/useOutside";

const PANEL_PX = { width: 340, height: 380 };
const MARGIN_PX = 8;

export function NodeSearch() {
  const request = useView((state) => state.search);
  return request && <SearchPanel key={request.at.join()} request={request} />;
}

function SearchPanel({ request }: { request: SearchRequest }) {
  const workbench = useWorkbench();
  const schema = useSchema();
  const panel = useRef<HTMLDivElement>(null);
  const { from } = request;
  const type = from && typeAt(schema, workbench.document.sheet(), from);
  const close = () => workbench.view.setState({ search: null });
  useOutside(panel, close);
  const find = useCallback(
    (query: string) => {
      const { workflow, path } = workbench.document.state.getState();
      const specs = Object.values(schema.nodes).filter(
        ({ name, hidden }) =>
          !hidden &&
          (!name.startsWith(classOf("")) ||
            mayStand(workflow, path, name.slice(classOf("").length))),
      );
      const fitting =
        from && type ? specs.filter((spec) => socketFor(schema, spec, from, type)) : specs;
      return search(fitting, query).map((spec) => ({
        key: spec.name,
        text: spec.title,
        note: spec.category,
        hues: spec.outputs.map((output) => hueOf(output.type)),
        summary: spec.help.split("\n")[0],
        spec,
      }));
    },
    [workbench, schema, from, type],
  );
  return (
    <div
      ref={panel}
      className={styles.search}
      style={placed(request.at)}
      role="dialog"
      aria-label={t.actions.add}
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      <Picker
        label={t.nodes.search}
        listLabel={t.nodes.list}
        placeholder={
          type
            ? (from?.side === "output" ? t.nodes.taking : t.nodes.giving)(typeTitle(schema, type))
            : t.nodes.hint
        }
        none={t.nodes.none}
        find={find}
        onChoose={({ spec }) => {
          close();
          const id = addFound(workbench, schema, spec, request);
          requestAnimationFrame(() => workbench.camera.current?.bring(id));
        }}
      />
    </div>
  );
}

function placed([x, y]: Position): CSSProperties {
  return {
    left: Math.max(MARGIN_PX, Math.min(x, innerWidth - PANEL_PX.width - MARGIN_PX)),
    top: Math.max(MARGIN_PX, Math.min(y, innerHeight - PANEL_PX.height - MARGIN_PX)),
    width: PANEL_PX.width,
    maxHeight: PANEL_PX.height,
  };
}
