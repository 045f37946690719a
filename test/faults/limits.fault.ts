// Limits of the kernel that a run meets: descriptors, processes, memory; and /proc out of sight.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { equipQuickly } from "../support/quick-repository.ts";
import { restic } from "../support/restics.ts";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";
import { waitForPeace } from "./peace.ts";

const isRoot = process.getuid?.() === 0;

/** The outcome of a run under a limit. */
type Fate = "right" | "failed with a record" | "failed, said on stdout only" | "not begun" | "died";

/**
 * Makes a run under a limit, then one without it, and checks their promises: a failed run has a record that names the
 * reason, one that could not even start has touched nothing, and one that died is reported by the next run.
 */
async function liveUnder(world: World, shell: string): Promise<Fate> {
  const before = world.history().length;
  const { code, stdout, stderr } = await world.exec(["sh", "-c", `${shell}; exec backup`]);
  await waitForPeace(world);
  const lines = world.history().slice(before);
  const marked = world.has("lock/backup.run.json");
  const next = await world.run("backup");
  expect({ shell, code: next.code, stderr: next.stderr }).toEqual({ shell, code: 0, stderr: "" });
  expect({ shell, said: next.stdout.includes("died without a record") }).toEqual({ shell, said: marked });
  if (lines.length === 0) {
    if (stdout.includes("cannot be written")) {
      expect({ shell, stdout }).toEqual({
        shell,
        stdout: expect.stringMatching(/ failed, exit|cannot be taken/),
      });
      expect({ shell, stdout }).toEqual({ shell, stdout: expect.not.stringContaining("This is a bug") });
      return "failed, said on stdout only";
    }
    // Bun's own end, which aborts or exits with 1, or the loader's, or the shell's: they speak to stderr.
    expect({ shell, stdout, stderr }).not.toEqual({ shell, stdout, stderr: "" });
    expect([1, 126, 127, 133, 134, 139]).toContain(code);
    return marked || stdout !== "" ? "died" : "not begun";
  }
  // Without a thread for stdout Bun aborts when all is done but the printing of it (README, "Beyond what can be promised").
  if (stderr.includes("panic(main thread)")) return "died";
  expect({ shell, exit: lines[0].exit_code, stderr }).toEqual({ shell, exit: code, stderr: "" });
  const told = [lines[0].error, ...lines[0].hooks.map(({ error }: { error?: string }) => error)].filter(
    Boolean,
  );
  for (const error of told) expect(error).toMatch(/too many open files|no more processes are allowed|memory/);
  if (code !== 0) expect(told.length).toBeGreaterThan(0);
  return code === 0 ? "right" : "failed with a record";
}

/** `right from 14 on; failed with a record 5 to 13; not begun 1 to 4`. */
async function descend(
  world: World,
  limits: readonly number[],
  shell: (limit: number) => string,
): Promise<string> {
  const fates = new Map<Fate, number[]>();
  for (const limit of limits) {
    const fate = await liveUnder(world, shell(limit));
    fates.set(fate, [...(fates.get(fate) ?? []), limit]);
  }
  expect(fates.get("right")).toContain(limits[0]!);
  return [...fates].map(([fate, at]) => `${fate} with ${at.join(", ")}`).join("; ");
}

const from = (most: number): number[] => Array.from({ length: most }, (_, at) => most - at);

fault(
  {
    injected: "descriptors are limited to 32, and to ever fewer",
    promised: "right, or a record that names the limit",
  },
  async (world) => {
    hooked(world);
    return descend(world, [32, ...from(16)], (limit) => `ulimit -n ${limit}`);
  },
);

fault(
  { injected: "the stack is limited to ever less (KiB)", promised: "right, or not begun" },
  async (world) => {
    hooked(world);
    return descend(world, [1024, 256, 64, 16], (limit) => `ulimit -s ${limit}`);
  },
);

fault(
  { injected: "the address space is limited to ever less (MiB)", promised: "right, or not begun" },
  async (world) => {
    hooked(world);
    return descend(world, [2048, 512, 256, 128], (limit) => `ulimit -v ${limit * 1024}`);
  },
);

function hooked(world: World): void {
  world.hook("pre-backup", "exit 0");
  world.hook("post-backup", "exit 0");
}

/** A group of the kernel's; undefined where none can be made. */
function group(
  controller: string,
  file: string,
): { limit(to: string): string; [Symbol.dispose](): void } | undefined {
  const path = `/sys/fs/cgroup/${controller}/rbh-faults-${process.pid}`;
  try {
    mkdirSync(path);
  } catch {
    return undefined;
  }
  return {
    limit: (to) => {
      writeFileSync(`${path}/${file}`, to);
      return `echo $$ >${path}/cgroup.procs`;
    },
    [Symbol.dispose]: () => {
      for (let look = 0; look < 100 && readFileSync(`${path}/cgroup.procs`, "utf8") !== ""; look++)
        Bun.sleepSync(20);
      rmdirSync(path);
    },
  };
}

const canGroup = (controller: string) => isRoot && existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`);

if (!canGroup("pids")) test.skip("processes limited (no cgroup for pids to be made here)", () => {});
else {
  fault(
    {
      injected: "processes are limited to 32, and to ever fewer",
      promised: "right, or a record that names the limit",
    },
    async (world) => {
      hooked(world);
      using pids = group("pids", "pids.max");
      return await descend(world, [32, ...from(10)], (limit) => pids!.limit(String(limit)));
    },
  );
}

if (!canGroup("memory")) test.skip("memory limited (no cgroup for memory to be made here)", () => {});
else {
  fault(
    { injected: "memory is limited to 128 MiB", promised: "a backup with hooks by restic itself is right" },
    async (world) => {
      await equipQuickly(world, restic);
      hooked(world);
      using memory = group("memory", "memory.limit_in_bytes");
      const { code, stderr } = await world.exec(["sh", "-c", `${memory!.limit("128M")}; exec backup`]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { status, snapshot_id } = world.record();
      expect(status).toBe("ok");
      return `exit 0, snapshot ${snapshot_id}`;
    },
  );

  fault(
    {
      injected: "memory is limited so that restic is killed for it",
      promised: "exit 137, and says that memory ran out",
    },
    async (world) => {
      hooked(world);
      // dd takes all its block at once.
      world.restic("exec dd if=/dev/zero of=/dev/null bs=600M count=1");
      using memory = group("memory", "memory.limit_in_bytes");
      const { code, stdout, stderr } = await world.exec([
        "sh",
        "-c",
        `${memory!.limit("128M")}; exec backup`,
      ]);
      expect({ code, stderr }).toEqual({ code: 137, stderr: "" });
      expect(stdout).toContain("restic was killed (SIGKILL), most likely because memory ran out.");
      const { status, hooks } = world.record();
      expect({ status, hooks: hooks.length }).toEqual({ status: "failed", hooks: 2 });
      return "exit 137, status failed, most likely the memory ran out; both hooks ran";
    },
  );
}

const HIDE = "mount -t tmpfs none /proc";

if (!isRoot || Bun.which("unshare") === null) test.skip("/proc is missing (only root can hide it)", () => {});
else {
  fault(
    { injected: "/proc is missing from the start", promised: "right, or nothing is begun" },
    async (world) => {
      hooked(world);
      const { code, stdout } = await world.exec(["unshare", "-m", "sh", "-c", `${HIDE} && exec backup`]);
      // glibc finds the stack of the main thread by /proc/self/maps, and Bun ends where it cannot.
      expect({ code, stdout }).toEqual({ code: 134, stdout: "" });
      expect(world.history()).toEqual([]);
      return "exit 134, Bun aborts; nothing begun";
    },
  );

  fault(
    { injected: "/proc is hidden in mid-run", promised: "time-outs, stop and record are as ever" },
    async (world) => {
      world.hook("pre-backup", HIDE);
      world.hook("pre-backup.d/slow", "exec sleep 30");
      world.hook("post-backup", "exit 0");
      const env = { HOOK_TIMEOUT: "1" };
      const { code, stderr } = await world.exec(["unshare", "-m", "sh", "-c", "exec backup"], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { status, hooks } = world.record();
      expect(status).toBe("ok");
      expect(hooks.map(({ exit_code }: { exit_code: number }) => exit_code)).toEqual([0, 124, 0]);
      return "exit 0, status ok; a hook timed out after 1s (124)";
    },
  );

  fault(
    { injected: "/proc is hidden in mid-run, then a stop", promised: "the stop is in good order" },
    async (world) => {
      world.hook("pre-backup", HIDE);
      world.restic("kill -TERM $PPID; exec sleep 30");
      world.hook("post-backup", "exit 0");
      const env = { STOP_TIMEOUT: "3" };
      const { code, stderr } = await world.exec(["unshare", "-m", "sh", "-c", "exec backup"], { env });
      expect({ code, stderr }).toEqual({ code: 143, stderr: "" });
      expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM" });
      expect(world.record().hooks).toHaveLength(2);
      return "exit 143, status interrupted, the post-hook ran";
    },
  );
}
