/** What the open subgraph takes or gives: called, put in order and taken away. */

import { ArrowDown, ArrowUp, SquareArrowUpLeft, Trash2 } from "lucide-react";
import { useDocument, useSchema, useWorkbench } from "@/app/workbench";
import { type EndSide, moveEnd, removeEnd, renameEnd } from "@/document/interface";
import { type InputSpec, typeTitle } from "@/document/schema";
import { openAt } from "@/document/subgraphs";
import type { End, NodeId } from "@/document/types";
import { promote } from "@/document/wiring";
import styles from "@/panels/side.module.css";
import { t } from "@/strings/strings";
import { IconButton } from "@/ui/IconButton";

export function Ends({ side }: { side: EndSide }) {
  const definition = useDocument(({ workflow, path }) => openAt(workflow, path)) ?? "";
  const ends = useDocument(({ workflow }) => workflow.subgraphs[definition]?.[side]) ?? [];
  return (
    <div className={styles.scroll}>
      <p className={styles.endsHint}>{t.subgraphs.hint[side]}</p>
      <ul className={styles.ends} aria-label={t.subgraphs[side]}>
        {ends.map((end, index) => (
          <EndRow
            key={end.name}
            definition={definition}
            side={side}
            end={end}
            first={index === 0}
            last={index === ends.length - 1}
          />
        ))}
      </ul>
    </div>
  );
}

interface PromoteProps {
  node: NodeId;
  input: InputSpec;
  wired: boolean;
}

/** Shows a field outside the open subgraph. */
export function PromoteButton({ node, input, wired }: PromoteProps) {
  const { document, schema } = useWorkbench();
  return (
    <IconButton
      icon={SquareArrowUpLeft}
      label={t.subgraphs.promote(input.title)}
      disabled={wired}
      onClick={() => document.apply(promote(schema.getState(), document.sheet(), node, input.name))}
    />
  );
}

interface EndRowProps {
  definition: string;
  side: EndSide;
  end: End;
  first: boolean;
  last: boolean;
}

function EndRow({ definition, side, end, first, last }: EndRowProps) {
  const { document, fallback } = useWorkbench();
  const schema = useSchema();
  const { name, type, title = name } = end;
  const move = (by: -1 | 1) => document.apply(moveEnd(definition, side, name, by));
  return (
    <li title={typeTitle(schema, type)}>
      <input
        aria-label={t.subgraphs.titleOf(name)}
        autoComplete="off"
        spellCheck={false}
        value={title}
        onChange={(event) => document.apply(renameEnd(definition, side, name, event.target.value))}
      />
      <IconButton
        icon={ArrowUp}
        label={t.subgraphs.up(title)}
        disabled={first}
        onClick={() => move(-1)}
      />
      <IconButton
        icon={ArrowDown}
        label={t.subgraphs.down(title)}
        disabled={last}
        onClick={() => move(1)}
      />
      <IconButton
        icon={Trash2}
        label={t.subgraphs.remove(title)}
        onClick={() => document.apply(removeEnd(definition, side, name, fallback))}
      />
    </li>
  );
}
