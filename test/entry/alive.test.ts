/** `status --alive`, by what a real entry leaves: its scheduler, its crontab, and how late its jobs are. */

import { describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { World, waitFor } from "../support/world.ts";

class Entered extends World {
  private entry: Bun.Subprocess | undefined;

  constructor() {
    super();
    this.env.CRONTAB_DIR = this.folder("crontabs");
    this.env.RESTIC_CHECK_REPOSITORY_STATUS = "OFF";

    this.restic();
    this.link("status");
  }

  async enter(env: Record<string, string> = {}, words: readonly string[] = []): Promise<void> {
    this.entry = Bun.spawn([this.link("restic-backup-helper"), "entry", ...words], {
      env: { ...this.env, ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    await waitFor(() => this.mark()?.scheduler !== undefined, "entry's mark");
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects of the mark
  mark(): any {
    return this.has("lock/entry.json") ? JSON.parse(this.read("lock/entry.json")) : undefined;
  }

  remark(change: object): void {
    writeFileSync(join(this.lock, "entry.json"), JSON.stringify({ ...this.mark(), ...change }));
  }

  async alive() {
    const { code, stdout } = await this.run("status", ["--alive"]);
    return [code, stdout] as const;
  }

  async leave(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.entry?.kill(signal);
    await this.entry?.exited;
  }

  override [Symbol.dispose](): void {
    const { scheduler, entry } = this.mark() ?? {};
    this.entry?.kill("SIGKILL");
    if (scheduler !== undefined && scheduler.pid !== entry.pid) {
      try {
        process.kill(scheduler.pid, "SIGKILL");
      } catch {
        // It has ended with entry.
      }
    }
    super[Symbol.dispose]();
  }
}
const DAY = 86_400;
const now = () => Math.floor(Date.now() / 1000);

describe("status --alive", () => {
  test("yes while entry and its scheduler live, after a failed run too; no once they are dead", async () => {
    using world = new Entered();
    expect(await world.alive()).toEqual([1, expect.stringContaining("dead: No schedule runs here")]);
    await world.enter({ BACKUP_CRON: "0 0 1 1 *" });
    expect(await world.alive()).toEqual([0, expect.stringMatching(/^alive: The scheduler runs \(pid \d+\)/)]);
    world.restic("exit 12");
    expect((await world.run("backup")).code).toBe(12);
    expect((await world.run("status")).code).toBe(1);
    expect((await world.alive())[0]).toBe(0);
    await world.leave("SIGKILL");
    expect(await world.alive()).toEqual([1, expect.stringMatching(/^dead: entry \(pid \d+\) is dead/)]);
  });

  test("a clean stop takes the mark away", async () => {
    using world = new Entered();
    await world.enter();
    await world.leave();
    expect(world.mark()).toBeUndefined();
    expect((await world.alive())[0]).toBe(1);
  });

  test("no when the scheduler alone is dead, or its pid is another process's", async () => {
    using world = new Entered();
    await world.enter();
    const dead = Bun.spawn(["/bin/true"]);
    await dead.exited;
    const { scheduler } = world.mark();
    world.remark({ scheduler: { pid: dead.pid, ticks: 1 } });
    expect(await world.alive()).toEqual([
      1,
      `dead: The scheduler (pid ${dead.pid}) is dead: no job will be started.\n`,
    ]);
    world.remark({ scheduler: { ...scheduler, ticks: scheduler.ticks + 1 } });
    expect((await world.alive())[0]).toBe(1);
    world.remark({ scheduler });
    expect((await world.alive())[0]).toBe(0);
  });

  test("no when the crontab is not what entry wrote, or is gone", async () => {
    using world = new Entered();
    await world.enter();
    const path = join(world.dir, "crontabs/root");
    const written = readFileSync(path, "utf8");
    appendFileSync(path, "# mine\n");
    expect(await world.alive()).toEqual([
      1,
      expect.stringContaining(`${path} is not what entry wrote there`),
    ]);
    rmSync(path);
    expect((await world.alive())[0]).toBe(1);
    writeFileSync(path, written);
    expect((await world.alive())[0]).toBe(0);
  });

  test("no when a job is overdue by more than two intervals, counted from the start of the schedule; not while a run goes on", async () => {
    using world = new Entered();
    await world.enter({ BACKUP_CRON: "0 * * * *" });
    expect((await world.run("backup")).code).toBe(0);
    const ended = (ago: number) => {
      const record = { ...world.record(), started_epoch: now() - ago, finished_epoch: now() - ago };
      writeFileSync(join(world.log, "last-backup.json"), JSON.stringify(record));
    };
    ended(30 * DAY);
    // The container was off for a month: the schedule has only begun.
    expect((await world.alive())[0]).toBe(0);
    world.remark({ since_epoch: now() - 10 * 3600 });
    expect(await world.alive()).toEqual([
      1,
      expect.stringContaining("backup is overdue by more than 2 intervals: its run of "),
    ]);
    // The tick after its end, and two more, are at the most three hours away.
    ended(4 * 3600);
    expect((await world.alive())[0]).toBe(1);
    ended(2 * 3600 - 60);
    expect((await world.alive())[0]).toBe(0);
    // The clock was set back.
    ended(-DAY);
    world.remark({ since_epoch: now() - 60 });
    expect((await world.alive())[0]).toBe(0);

    world.remark({ since_epoch: now() - 10 * 3600 });
    ended(30 * DAY);
    world.restic("touch started; sleep 30");
    const run = world.run("backup");
    await waitFor(() => world.has("lock/backup.run.json"), "a run");
    expect(await world.alive()).toEqual([
      0,
      expect.stringMatching(/^alive: Not to be interrupted: backup\. backup is overdue/),
    ]);
    process.kill(JSON.parse(world.read("lock/backup.run.json")).pid, "SIGTERM");
    await run;
  });

  test("a schedule that began, or a run that ended, under a clock that was set back is overdue all the same", async () => {
    using world = new Entered();
    await world.enter({ BACKUP_CRON: "* * * * *" });
    const { scheduler } = world.mark();
    // Since the machine has started: some minutes at the least.
    const first = Number(readFileSync("/proc/1/stat", "latin1").split(") ")[1]?.split(" ")[19]);
    const initial = { pid: 1, ticks: first };
    world.remark({ since_epoch: now() + DAY * 30_000, scheduler: initial });
    const uptime = Number(readFileSync("/proc/uptime", "latin1").split(".")[0]) - first / 100;
    const [code, said] = await world.alive();
    if (uptime > 600) {
      expect(code).toBe(1);
      expect(said).toContain("backup is overdue by more than 2 intervals");
    }
    world.remark({ since_epoch: now() + DAY * 30_000, scheduler });
    expect((await world.alive())[0]).toBe(0);
    expect((await world.run("backup")).code).toBe(0);
    const record = { ...world.record(), finished_epoch: now() + DAY * 30_000 };
    writeFileSync(join(world.log, "last-backup.json"), JSON.stringify(record));
    expect(await world.alive()).toEqual([
      0,
      expect.stringMatching(
        /^alive: The scheduler runs .* The last run of backup ended at .*, which is still to come\./,
      ),
    ]);
    world.remark({ since_epoch: now() - 3600 });
    expect((await world.alive())[0]).toBe(1);
  });

  test("an emptied LOCK_DIR gets its mark back", async () => {
    using world = new Entered();
    await world.enter();
    rmSync(join(world.lock, "entry.json"));
    await waitFor(() => world.mark() !== undefined, "the mark", 15_000);
    expect((await world.alive())[0]).toBe(0);
  });

  test("it stands alone", async () => {
    using world = new Entered();
    for (const words of [
      ["--alive", "--json"],
      ["--alive", "--history"],
      ["--alive", "backup"],
    ])
      expect((await world.run("status", words)).code).toBe(2);
  });
});

test("a tail of cron.log, as older compose files have it, is taken as the schedule; any other command is said to run none", async () => {
  using world = new Entered();
  await world.enter({}, ["tail", "-fn0", "/var/log/cron.log"]);
  expect((await world.alive())[0]).toBe(0);
  await world.leave();
  for (const words of [
    ["echo", "{}"],
    ["tail", "-n1", "/dev/null"],
  ]) {
    const { code, stdout, stderr } = await world.run("restic-backup-helper", ["entry", ...words]);
    expect([code, stdout]).toEqual([0, words[0] === "echo" ? "{}\n" : ""]);
    expect(stderr).toContain(`No schedule runs in this container: its command is ${words[0]}.`);
  }
  expect((await world.alive())[0]).toBe(1);
});
