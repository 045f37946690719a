/** What entry costs while nothing happens: its memory, and its CPU time over a minute. */

import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { binary, World, waitFor } from "../support/world.ts";
import { oldProgram } from "./before.ts";
import { memoryOf } from "./memory.ts";
import type { Row } from "./report.ts";

const SECONDS = 60;
/** The bounds: 45 MiB resident, and 0.1 % of one processor. */
const MOST_MIB = 45;
const MOST_MS = SECONDS * 1000 * 0.001;

export async function idle(): Promise<Row[]> {
  const [now, older] = await Promise.all([
    ofProgram(binary),
    oldProgram === undefined ? undefined : ofProgram(oldProgram),
  ]);
  const bound = { against: "the bound", limit: 1 };
  return [
    {
      ...bound,
      what: "entry, idle: resident memory (RSS)",
      ours: now.resident,
      before: older?.resident,
      floor: MOST_MIB,
      unit: "MiB",
    },
    {
      what: "entry, idle: own memory (RssAnon)",
      ours: now.own,
      before: older?.own,
      floor: now.resident,
      against: "its resident memory",
      unit: "MiB",
    },
    {
      ...bound,
      what: `entry, idle: CPU over ${SECONDS} s`,
      ours: now.cpuMs,
      before: older?.cpuMs,
      floor: MOST_MS,
      unit: "ms",
    },
  ];
}

/** Memory in MiB and CPU time in milliseconds of an entry that a program of ours is, in a world of its own. */
async function ofProgram(program: string) {
  using world = new World();
  for (const name of ["entry", "rotate_log", "locked_run", "backup"]) {
    rmSync(join(world.bin, name), { force: true });
    symlinkSync(program, join(world.bin, name));
  }
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
    const status = `/proc/${entry.pid}/status`;
    return { cpuMs, resident: memoryOf(status, "VmRSS"), own: memoryOf(status, "RssAnon") };
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
