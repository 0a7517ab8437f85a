/** The public side of a workflow: which inputs a form shows, by which names, and which pictures. */

import type { Command } from "@/document/commands";
import type { NodeId, Parameter, Result, Workflow } from "@/document/types";
import { t } from "@/strings/strings";

/** The name by which the form knows this input, if it shows it. */
export function fieldAt(workflow: Workflow, node: NodeId, input: string): string | undefined {
  return Object.entries(workflow.parameters).find(
    ([, place]) => place.node === node && place.input === input,
  )?.[0];
}

/** The name by which the form knows what this node shows, if it shows it. */
export function resultAt(workflow: Workflow, node: NodeId): string | undefined {
  return Object.entries(workflow.results).find(([, place]) => place.node === node)?.[0];
}

/** What the form calls a field: its label, or else its name in plain words. */
export function labelOfField(name: string, { label }: Pick<Parameter, "label">): string {
  const words = label || name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A name for programs, made from a title, that is not taken yet. */
export function publicName(taken: Readonly<Record<string, unknown>>, title: string): string {
  const plain = title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "_")
    .replace(/^_+|_+$/g, "");
  // A name that is a number would not keep its place in the order of the fields.
  const name = plain === "" || /^\d/.test(plain) ? `field_${plain}`.replace(/_$/, "") : plain;
  let free = name;
  for (let next = 2; free in taken; next += 1) {
    free = `${name}_${next}`;
  }
  return free;
}

/** Show an input in the form, after the fields that are there. */
export function showField(name: string, place: Parameter): Command {
  return {
    label: t.steps.showField,
    recipe: (_, draft) => {
      draft.parameters[name] = place;
      return undefined;
    },
  };
}

/** Take a field out of the form. */
export function hideField(name: string): Command {
  return {
    label: t.steps.hideField,
    recipe: (_, draft) => {
      delete draft.parameters[name];
      return undefined;
    },
  };
}

/** Call a field something else; its public name stays. */
export function labelField(name: string, label: string): Command {
  return {
    label: t.steps.renameField,
    key: `label:${name}`,
    recipe: (_, draft) => {
      const place = draft.parameters[name];
      if (place) {
        place.label = label;
      }
      return undefined;
    },
  };
}

/** Move a field up (-1) or down (1) among its neighbours. */
export function moveField(name: string, by: -1 | 1): Command {
  return {
    label: t.steps.moveField,
    recipe: (_, draft) => {
      const entries = Object.entries(draft.parameters);
      const from = entries.findIndex(([other]) => other === name);
      const to = from + by;
      if (from >= 0 && to >= 0 && to < entries.length) {
        entries.splice(to, 0, ...entries.splice(from, 1));
        draft.parameters = Object.fromEntries(entries);
      }
      return undefined;
    },
  };
}

/** Show what a node shows in the form as well. */
export function showResult(name: string, place: Result): Command {
  return {
    label: t.steps.showResult,
    recipe: (_, draft) => {
      draft.results[name] = place;
      return undefined;
    },
  };
}

/** Take a result out of the form. */
export function hideResult(name: string): Command {
  return {
    label: t.steps.hideResult,
    recipe: (_, draft) => {
      delete draft.results[name];
      return undefined;
    },
  };
}
