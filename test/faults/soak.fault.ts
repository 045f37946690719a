// Two thousand ticks of four workers, two at once, with hooks, exits, kills and skips at random, and a book of it all.
// RBH_SOAK_TICKS says how many; RBH_SEED repeats one (when exactly a signal hits is the machine's affair).
import { expect } from "bun:test";
import { appendFileSync, readdirSync, statSync } from "node:fs";
import { Random } from "../support/property.ts";
import { Soak } from "../support/soak.ts";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";

const TICKS = Number(process.env.RBH_SOAK_TICKS ?? 2000);
/** A lane does one thing after the other with workers of its own; both share LOG_DIR, LOCK_DIR and METRICS_DIR. */
const LANES = [
  ["backup", "check"],
  ["prune", "forget"],
];
const WORKERS = LANES.flat();
/** MiB; a tick takes 41 (make bench), one with much output 65. */
const PEAK_MOST = 96;
const HOOK_LOG_MOST = 4096;
/** Bytes of a worker's own files in LOG_DIR: two logs with the words of restic and of two hooks, and a record. */
const FILES_MOST = 4 * HOOK_LOG_MOST + 16 * 1024;
const ENV = {
  RESTIC_FORGET_ARGS: "--keep-last 1",
  FORGET_CRON: "0 0 1 1 *",
  HOOK_LOG_MAX_BYTES: String(HOOK_LOG_MOST),
};

async function soak(world: World, count: number, env: Record<string, string>): Promise<Soak> {
  const made = new Soak(world, LANES, { ...ENV, ...env });
  await made.run(count, (lane) => new Random(`soak of ${count}, lane ${lane}`));
  expectBoundedFolders(world);
  await expectStatus(world, made);
  expect(made.peakKib / 1024).toBeLessThan(PEAK_MOST);
  return made;
}

/** Nothing lies about that is not meant to stay, and what stays does not grow. */
function expectBoundedFolders(world: World): void {
  const own = WORKERS.flatMap((each) => [`last-${each}.json`, `${each}-last.log`, `${each}-error-last.log`]);
  const strangers = (folder: string, known: readonly string[]) =>
    readdirSync(`${world.dir}/${folder}`).filter((name) => !known.includes(name));
  expect(strangers("log", [...own, "history.jsonl", "history.lock"])).toEqual([]);
  // The pipe for the output of hooks stays, as the lock does: making one costs a process.
  const locks = WORKERS.flatMap((each) => [
    `${each}.lock`,
    `${each}.metrics.lock`,
    `${each}.skips`,
    `${each}.pipe`,
  ]);
  expect(strangers("lock", locks)).toEqual([]);
  expect(
    strangers(
      "metrics",
      WORKERS.map((each) => `restic_${each}.testhost.prom`),
    ),
  ).toEqual([]);
  const sizes = own.map((name) => statSync(`${world.log}/${name}`, { throwIfNoEntry: false })?.size ?? 0);
  expect(sizes.reduce((all, size) => all + size, 0)).toBeLessThan(WORKERS.length * FILES_MOST);
}

async function expectStatus(world: World, { book }: Soak): Promise<void> {
  const { stdout } = await world.run("restic-backup-helper", ["status", "--json"], { env: ENV });
  const jobs: { job: string; last_status: string; exit_code: number; skips_in_a_row: number }[] =
    JSON.parse(stdout).jobs;
  for (const worker of WORKERS) {
    const { last, skips } = book.of(worker);
    const wanted = {
      job: worker,
      last_status: last?.status,
      exit_code: last?.code,
      skips_in_a_row: skips,
      running: null,
    };
    expect(jobs.find(({ job }) => job === worker)).toMatchObject(wanted);
    expect(world.record(worker)).toMatchObject({ status: last?.status, exit_code: last?.code });
  }
}

function told({ book, ticks, killed, interrupted, peakKib }: Soak): string {
  const lines = `${book.ran.size} ended, ${book.skipped.length} skipped, ${book.died.size} died and were told of`;
  const kills = `${killed} killed (${book.vanished} before they were a run), ${interrupted} interrupted`;
  return `${ticks} ticks: ${lines}; ${kills}; peak ${Math.round(peakKib / 1024)} MiB`;
}

fault(
  {
    injected: `${TICKS} ticks, two at once, random hooks, exits, kills and skips`,
    promised:
      "history, metrics, records and status agree with what was done; nothing is left; memory is bounded",
    timeout: 600_000,
  },
  async (world) => {
    const made = await soak(world, TICKS, { HISTORY_MAX_RUNS: "1000000" });
    made.book.checkHistory(world.history());
    return told(made);
  },
);

fault(
  {
    injected: "the same with a full history of ordinary length",
    promised: "it keeps the newest thousand and few more, none of them lost, none twice",
    timeout: 300_000,
  },
  async (world) => {
    const about = { job: "old", status: "ok", error: "x".repeat(400) };
    const old = Array.from(
      { length: 1010 },
      (_, n) => `${JSON.stringify({ ...about, run_id: `old-${n}` })}\n`,
    );
    appendFileSync(`${world.log}/history.jsonl`, old.join(""));
    const made = await soak(world, Math.ceil(TICKS / 5), {});
    const lines = world.history();
    const news = lines.filter(({ job }) => job !== "old");
    expect(lines.slice(0, lines.length - news.length).every(({ job }) => job === "old")).toBe(true);
    made.book.checkHistory(news);
    expect(lines.length).toBeGreaterThanOrEqual(1000);
    // It is counted every 16 KiB, some forty lines, and cut 2 % late; whoever was to cut it may be killed.
    expect(lines.length).toBeLessThanOrEqual(1150);
    return `${lines.length} lines, ${news.length} of them new; ${told(made)}`;
  },
);
