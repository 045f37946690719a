// kill -9 of every worker that is a run, at twenty random moments of its life.
import { expect, test } from "bun:test";
import { workerNames } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { Random } from "../support/property.ts";
import { World } from "../support/world.ts";
import { fault } from "./fault.ts";
import { type Death, type DoctorContext, killAfter, liveOnce } from "./kill.ts";
import { ordinary, victims } from "./victims.ts";

const KILLS = 20;
/** Two at a time: a run is mostly waiting. */
const WORLDS = 2;

const random = new Random("moments of the kills");

test("whoever has a row of its own is a worker; every worker is killed here, the others as most are", () => {
  expect(Object.keys(victims).filter((name) => !workerNames(table).includes(name))).toEqual([]);
});

for (const worker of workerNames(table)) {
  const victim = victims[worker] ?? ordinary;
  const row = {
    injected: `kill -9 of ${worker} at ${KILLS} random moments`,
    promised: "records whole, lock kept by restic alone, death told once, next run right",
    timeout: 120_000,
  };
  if (victim.impossible !== undefined) {
    test.skip(`${row.injected} (${victim.impossible})`, () => {});
    continue;
  }
  fault(row, async () => {
    const shares = Array.from({ length: KILLS }, (_, kill) => (kill + random.share()) / KILLS);
    const halves = Array.from({ length: WORLDS }, (_, half) =>
      shares.filter((_, at) => at % WORLDS === half),
    );
    const deaths = await Promise.all(halves.map((half) => killEach(worker, half)));
    return tell(deaths.flat());
  });
}

/** In a world of its own; each share is a fraction of an undisturbed run's duration. */
async function killEach(worker: string, shares: readonly number[]): Promise<Death[]> {
  const victim = victims[worker] ?? ordinary;
  using world = victim.world?.() ?? new World();
  await victim.prepare(world);
  world.hook(`pre-${worker}`, "sleep 0.01");
  world.hook(`post-${worker}`, "sleep 0.01");
  const patient: DoctorContext = { world, worker, victim };
  const lengths = [];
  for (let run = 0; run < 3; run++) lengths.push((await liveOnce(patient)).ms);
  const length = lengths.sort((a, b) => a - b)[1]!;
  const deaths = [];
  for (const [round, share] of shares.entries()) deaths.push(await killAfter(patient, share * length, round));
  return deaths;
}

/** `before its marker 2, in work 14 …; 18 reported as died`. */
function tell(deaths: readonly Death[]): string {
  const counts = new Map<string, number>();
  for (const { moment } of deaths) counts.set(moment, (counts.get(moment) ?? 0) + 1);
  const order = ["before its marker", "in starting", "in pre-hooks", "in work", "in record", "in post-hooks"];
  const sorted = [...counts].sort(([a], [b]) => rank(order, a) - rank(order, b));
  const moments = sorted.map(([moment, count]) => `${moment} ${count}`).join(", ");
  return `${moments}; ${deaths.filter(({ reported }) => reported).length} told as died by the next run`;
}

const rank = (order: readonly string[], word: string) => (order.indexOf(word) + 100) % 100;
