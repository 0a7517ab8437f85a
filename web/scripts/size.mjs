/** Print the gzipped JavaScript that a first visit downloads, and fail beyond the budget. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 220;
const folder = fileURLToPath(new URL("../../server/safelight_server/static", import.meta.url));
const html = readFileSync(join(folder, "index.html"), "utf8");
const scripts = readdirSync(join(folder, "assets")).filter((name) => name.endsWith(".js"));

let initial = 0;
for (const name of scripts) {
  const bytes = gzipSync(readFileSync(join(folder, "assets", name)), { level: 9 }).length;
  const first = html.includes(name);
  initial += first ? bytes : 0;
  console.log(`${(bytes / 1000).toFixed(1).padStart(8)} kB  ${name}${first ? "" : "  (later)"}`);
}
console.log(
  `${(initial / 1000).toFixed(1).padStart(8)} kB  initial JavaScript, gzipped (budget ${BUDGET_KB} kB)`,
);
if (initial > BUDGET_KB * 1000) {
  process.exit(1);
}
