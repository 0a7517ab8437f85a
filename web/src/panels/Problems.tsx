/** Everything that is wrong, in words; choosing one goes to its node. */

import { goTo } from "@/app/sheets";
import { useWorkbench } from "@/app/workbench";
import type { Problem } from "@/document/validate";
import styles from "@/panels/panels.module.css";
import { t } from "@/strings/strings";

export function Problems({ problems }: { problems: readonly Problem[] }) {
  const workbench = useWorkbench();
  const go = ({ node }: Problem) => {
    if (node !== null) {
      goTo(workbench, node);
    }
  };
  return (
    <section className={styles.problems} aria-label={t.shell.allProblems}>
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.node}:${problem.input}:${problem.message}`}>
            <button type="button" disabled={problem.node === null} onClick={() => go(problem)}>
              {problem.message}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
