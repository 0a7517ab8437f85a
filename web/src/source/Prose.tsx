/** The docstring of a file, set as a page of a book. */

import { Fragment } from "react";
import { type Piece, readFormula } from "@/source/math";
import { type Block, blocksOf, type Cell, partsOf } from "@/source/prose";
import styles from "@/source/source.module.css";

export function Prose({ doc }: { doc: string }) {
  const [title, ...blocks] = blocksOf(doc);
  return (
    <div className={styles.prose}>
      {title?.kind === "paragraph" && <h3>{title.text}</h3>}
      {blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the blocks of a file stay in their order
        <BlockView key={index} block={block} />
      ))}
    </div>
  );
}

function BlockView({ block }: { block: Block }) {
  if (block.kind === "paragraph") {
    return (
      <p>
        <Sentence text={block.text} />
      </p>
    );
  }
  return (
    <div className={styles.formulas}>
      {block.rows.map(([first, ...rest], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a formula stay in their order
        <Fragment key={index}>
          {first && <CellView cell={first} />}
          <span>
            {rest.map((cell) => (
              <CellView key={cell.text} cell={cell} />
            ))}
          </span>
        </Fragment>
      ))}
    </div>
  );
}

function CellView({ cell }: { cell: Cell }) {
  return cell.formula ? (
    <span className={styles.formula}>
      <Pieces pieces={readFormula(cell.text)} />
    </span>
  ) : (
    <span className={styles.cell}>
      <Sentence text={cell.text} />
    </span>
  );
}

function Sentence({ text }: { text: string }) {
  return partsOf(text).map((part, index) => {
    switch (part.kind) {
      case "code":
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a sentence stay in their order
        return <code key={index}>{part.text}</code>;
      case "formula":
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a sentence stay in their order
          <span key={index} className={styles.quantity}>
            <Pieces pieces={readFormula(part.text)} />
          </span>
        );
      default:
        return part.text;
    }
  });
}

function Pieces({ pieces }: { pieces: readonly Piece[] }) {
  return pieces.map((piece, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a formula stay in their order
    <PieceView key={index} piece={piece} />
  ));
}

function PieceView({ piece }: { piece: Piece }) {
  switch (piece.kind) {
    case "sub":
      return (
        <sub>
          <Pieces pieces={piece.parts} />
        </sub>
      );
    case "sup":
      return (
        <sup>
          <Pieces pieces={piece.parts} />
        </sup>
      );
    case "root":
      return (
        <>
          √
          <span className={styles.root}>
            <Pieces pieces={piece.parts} />
          </span>
        </>
      );
    case "variable":
      return <i>{piece.text}</i>;
    default:
      return piece.text;
  }
}
