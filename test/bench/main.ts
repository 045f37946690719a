/**
 * make bench: every figure as a ratio against a floor that is measured in the same run. Exits with 1 when a
 * ratio is above its limit. `bun test/bench/main.ts tick` runs one of them. With RBH_OLD_BINARY an older build is
 * measured beside the new one, which then must not be dearer in any row.
 */

import { cpus } from "node:os";
import { added } from "./added.ts";
import { cold } from "./cold.ts";
import { doctor } from "./doctor.ts";
import { exported } from "./export.ts";
import { idle } from "./idle.ts";
import { output } from "./output.ts";
import { exceeds, formatTable, isWorse, type Row } from "./report.ts";
import { running } from "./running.ts";
import { sources } from "./sources.ts";
import { status } from "./status.ts";
import { tick } from "./tick.ts";
import { ticks } from "./ticks.ts";

type Benches = Readonly<Record<string, () => Promise<Row[]>>>;

const busy: Benches = {
  cold,
  tick,
  ticks,
  added,
  output,
  status,
  doctor,
  sources,
  export: exported,
};

/** These two only let a minute go by, and do so together. */
const waiting: Benches = { running, idle };
const benches = { ...busy, ...waiting };

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}.`);
  process.exit(2);
}
const rows: Row[] = [];
const selected = (some: Benches) =>
  Object.entries(some)
    .filter(([name]) => chosen.length === 0 || chosen.includes(name))
    .map(([, bench]) => bench);
for (const bench of selected(busy)) rows.push(...(await bench()));
rows.push(...(await Promise.all(selected(waiting).map((bench) => bench()))).flat());
const [cpu] = cpus();
console.log(
  `${cpus().length} × ${cpu?.model ?? "unknown processor"}, Bun ${Bun.version}; medians of runs taken in turn\n`,
);
console.log(formatTable(rows));
process.exit(rows.some((row) => exceeds(row) || isWorse(row)) ? 1 : 0);
