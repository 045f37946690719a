/** What entry costs while nothing happens: its memory, and its CPU time over a minute. */

import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { World, waitFor } from "../support/world.ts";
import type { Row } from "./report.ts";

const SECONDS = 60;
const MIB = 2 ** 20;
/** The bounds: 45 MiB resident, and 0.1 % of one processor. */
const MOST_MIB = 45;
const MOST_MS = SECONDS * 1000 * 0.001;

export async function idle(): Promise<Row[]> {
  using world = new World();
  for (const name of ["entry", "rotate_log"]) world.link(name);
  const busybox = Bun.which("busybox");
  // As root crond runs beside it, as in the image; else entry keeps the time itself, which costs it a little more.
  if (busybox !== null) symlinkSync(busybox, join(world.bin, "crond"));
  mkdirSync(join(world.dir, "crontabs"));
  const env = {
    ...world.env,
    CRONTAB_DIR: join(world.dir, "crontabs"),
    RESTIC_CHECK_REPOSITORY_STATUS: "OFF",
    BACKUP_CRON: "0 0 1 1 *",
    ROTATE_LOG_CRON: "0 0 1 1 *",
  };
  const entry = Bun.spawn([join(world.bin, "entry")], { env, stdout: "ignore", stderr: "inherit" });
  try {
    await waitFor(() => world.has("crontabs/root"), "the crontab");
    // The start itself is not what is measured.
    await Bun.sleep(3000);
    const before = cpuSeconds(entry.pid);
    await Bun.sleep(SECONDS * 1000);
    const cpuMs = (cpuSeconds(entry.pid) - before) * 1000;
    const row = { against: "the bound", limit: 1 };
    return [
      {
        ...row,
        what: "entry, idle: resident memory",
        ours: residentBytes(entry.pid) / MIB,
        floor: MOST_MIB,
        unit: "MiB",
      },
      { ...row, what: `entry, idle: CPU over ${SECONDS} s`, ours: cpuMs, floor: MOST_MS, unit: "ms" },
    ];
  } finally {
    entry.kill("SIGTERM");
    await entry.exited;
  }
}

/** Of all its threads, to the nanosecond: clock ticks of 10 ms would be most of what there is. */
function cpuSeconds(pid: number): number {
  const threads = [...new Bun.Glob("*").scanSync({ cwd: `/proc/${pid}/task`, onlyFiles: false })];
  const spent = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return spent.reduce((sum, each) => sum + each, 0) / 1e9;
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
