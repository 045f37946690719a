// What status makes of records that real runs have left.
import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { processMark } from "../../lib/state/alive.ts";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { stopInPostHook } from "../support/stopped.ts";
import { type RunOptions, World, waitFor } from "../support/world.ts";

/** A pid that names another process by now. */
const DEAD = { pid: process.pid, ticks: 1 };

class Scheduled extends World {
  constructor() {
    super();
    // None there, as for a user who may not read root's: what the environment says counts.
    this.env.CRONTAB_DIR = this.folder("crontabs");
    this.schedule(0);
  }

  /** The mark of an entry whose scheduler has run since then: this process. */
  schedule(since: number): void {
    const mark = processMark();
    this.file("lock/entry.json", JSON.stringify({ entry: mark, scheduler: mark, since_epoch: since }));
  }

  async status(env: RunOptions["env"] = {}) {
    const { code, stdout, stderr } = await this.run("status", [], { env });
    return { code, stderr, first: stdout.split("\n")[0] ?? "", findings: findingsIn(stdout), stdout };
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects of the report
  async json(env: RunOptions["env"] = {}): Promise<any> {
    const { code, stdout } = await this.run("status", ["--json"], { env });
    const report = JSON.parse(stdout);
    expect(report.exit_code).toBe(code);
    return report;
  }

  /** Moves what a real run has left into the past, or into the future. */
  shift(seconds: number, worker = "backup"): void {
    const path = join(this.log, `last-${worker}.json`);
    const record = JSON.parse(readFileSync(path, "utf8"));
    for (const field of ["started_epoch", "finished_epoch"]) record[field] += seconds;
    writeFileSync(path, JSON.stringify(record));
  }
}

/** A line of backup's history, as a run of `files` files leaves it; `ago` seconds old. */
function historyLine(world: World, ago: number, fields: object = {}): string {
  const epoch = Math.floor(Date.now() / 1000) - ago;
  const { alerts: _, usual_files: __, ...record } = world.record();
  const times = { started_epoch: epoch, finished_epoch: epoch };
  return `${JSON.stringify({ ...record, status: "ok", exit_code: 0, ...times, run_id: `backup-${epoch}`, ...fields })}\n`;
}

/** The lines below the table. */
const findingsIn = (stdout: string) =>
  stdout
    .split("\n")
    .filter((line) => /^(WARN|FAIL|NOW) /.test(line))
    .slice(/^OK/.test(stdout) ? 0 : 1);

describe("OK", () => {
  needing("restic").test(
    "after a real backup, with its numbers; and nothing is changed by looking",
    async () => {
      using world = new Scheduled();
      world.useRestic(restic.path);
      await world.exec(["restic", "init"]);
      expect((await world.run("backup")).code).toBe(0);
      world.link("status");
      const before = filesOf(world);
      const { code, stderr, stdout, first } = await world.status();
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(first).toMatch(/^OK {4}testhost, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
      expect(stdout).toMatch(/^JOB +LAST RUN +RESULT +TOOK +ENDED +NEXT$/m);
      expect(stdout).toMatch(/^backup +\d{4}-\S+ \S+ +ok +\d+s +\d+s ago +\d{4}-\d\d-\d\d \d\d:00:00$/m);
      expect(filesOf(world)).toEqual(before);

      const report = await world.json();
      const record = world.record();
      expect(report).toMatchObject({
        schema: "restic-backup-helper.status/1",
        hostname: "testhost",
        verdict: "OK",
        warnings: 0,
        failures: 0,
        exit_code: 0,
        crontab: {
          source: "environment-preview",
          origin: "environment",
          path: join(world.dir, "crontabs/root"),
          line_count: 2,
        },
        findings: [],
      });
      const on = report.schedules.filter(({ enabled }: { enabled: boolean }) => enabled);
      expect(on.map(({ job }: { job: string }) => job)).toEqual(["backup", "rotate_log"]);
      expect(report.schedules).toContainEqual({
        job: "check",
        enabled: false,
        cron: "",
        expression: "",
        command: "/bin/check",
        next_at: null,
      });
      expect(report.jobs.find(({ job }: { job: string }) => job === "backup")).toMatchObject({
        enabled: true,
        core: true,
        status: "ok",
        last_status: "ok",
        cron: "0 */6 * * *",
        path: join(world.log, "last-backup.json"),
        age_human: expect.stringMatching(/^\d+s$/),
        detail: expect.stringMatching(/^last run ok, exit 0, age \d+s$/),
        present: true,
        exit_code: 0,
        started_at: record.started_at,
        finished_at: record.finished_at,
        duration_seconds: record.duration_seconds,
        overdue: false,
        skips_in_a_row: 0,
        running: null,
      });
      const size_bytes = statSync(join(world.log, "last-backup.json")).size;
      expect(report.recent_json).toContainEqual({
        job: "backup",
        exit_code: 0,
        age_seconds: expect.any(Number),
        age_human: expect.stringMatching(/^\d+s$/),
        path: join(world.log, "last-backup.json"),
        present: true,
        size_bytes,
      });
    },
  );

  test("a signal in the post-hooks, after work that succeeded", async () => {
    using world = new Scheduled();
    expect(await stopInPostHook(world)).toBe(143);
    const { code, first, stdout } = await world.status();
    expect(code).toBe(0);
    expect(first).toStartWith("OK ");
    expect(stdout).toMatch(/^backup .* interrupted 143 /m);
  });

  test("by its other name, and by its help", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    expect((await world.run("health-summary")).stdout).toStartWith("OK ");
    expect((await world.run("status", ["--help"])).stdout).toContain("Also called health-summary.");
  });
});

describe("a schedule that is not there", () => {
  test("FAIL where jobs are enabled and neither crontab nor scheduler is there", async () => {
    using world = new Scheduled();
    rmSync(join(world.lock, "entry.json"));
    const missing =
      /^FAIL {2}entry: No schedule runs here: backup is enabled, but there is no crontab \S+\/crontabs\/root, and no entry with its scheduler\. Start the container .+ If something else starts it, unset BACKUP_CRON\.$/;
    const env = { BACKUP_CRON: "0 3 * * *" };
    const { code, first, findings } = await world.status(env);
    expect({ code, finding: findings[0] }).toEqual({ code: 1, finding: expect.stringMatching(missing) });
    expect(first).toStartWith("FAIL ");
    expect((await world.json(env)).findings[0]).toMatchObject({ job: "entry", kind: "no-schedule" });
    // Timers of a host, Kubernetes' CronJobs: no variable says when.
    expect((await world.status()).code).toBe(0);
    expect((await world.status({ ROTATE_LOG_CRON: "@daily" })).code).toBe(1);
    // A scheduler of a process that has died is none.
    world.file("lock/entry.json", JSON.stringify({ entry: DEAD, scheduler: DEAD, since_epoch: 0 }));
    expect((await world.status(env)).code).toBe(1);
    world.file("crontabs/root", "0 3 * * * /bin/my-own-way-to-back-up\n");
    expect((await world.status(env)).code).toBe(0);
  });

  test("not while entry makes ready, and not as the one command of an init", async () => {
    using world = new Scheduled();
    const env = { BACKUP_CRON: "0 3 * * *" };
    world.file("lock/entry.json", JSON.stringify({ entry: processMark(), since_epoch: 0 }));
    expect((await world.status(env)).first).toStartWith("OK ");
    rmSync(join(world.lock, "entry.json"));
    expect((await world.status(env)).code).toBe(1);
    world.program("tini", 'status="$(command -v status)"; "$status"; exit $?');
    const { code } = await world.exec([join(world.bin, "tini")], { env });
    expect(code).toBe(0);
  });

  test("another command of the container is named", async () => {
    using world = new Scheduled();
    rmSync(join(world.lock, "entry.json"));
    const command = [
      join(world.bin, "restic-backup-helper"),
      "entry",
      "sh",
      "-c",
      "status; status --alive; true",
    ];
    world.link("status");
    const { stdout } = await world.exec(command);
    expect(stdout).toMatch(
      /^FAIL {2}entry: No schedule runs here: backup, rotate_log are enabled, but the command of this container is sh\. /m,
    );
    expect(stdout).toEndWith("dead: No schedule runs here: the command of this container is sh.\n");
    expect(world.has("lock/entry.json")).toBe(false);
  });
});

test("a new container whose first run is still to come is OK", async () => {
  using world = new Scheduled();
  const now = Math.floor(Date.now() / 1000);
  world.schedule(now - 3600);
  expect(await world.status({ BACKUP_CRON: "0 0 1 1 *", CHECK_CRON: "0 0 2 2 *" })).toMatchObject({
    code: 0,
    first: expect.stringMatching(/^OK /),
    findings: [],
  });
  expect((await world.status({ BACKUP_CRON: "* * * * *" })).findings).toEqual([
    expect.stringMatching(
      /^WARN {2}backup: it is scheduled, but has left no record yet\. Its first run was expected at .+\.$/,
    ),
  ]);
  // Without entry's word the crontab tells since when.
  rmSync(join(world.lock, "entry.json"));
  const path = world.file("crontabs/root", "0 0 1 1 * /bin/locked_run backup /bin/backup\n");
  expect((await world.status()).first).toStartWith("OK ");
  utimesSync(path, now - 366 * 86_400, now - 366 * 86_400);
  expect((await world.status()).first).toStartWith("WARN ");
});

describe("WARN", () => {
  test("a job that is on has left no record", async () => {
    using world = new Scheduled();
    const { code, first, findings } = await world.status({ CHECK_CRON: "0 3 * * 0" });
    expect(code).toBe(0);
    expect(first).toMatch(/^WARN {2}testhost, .*, \d findings?$/);
    expect(findings).toContainEqual(
      expect.stringMatching(
        /^WARN {2}backup: it is scheduled, but has left no record yet\. Its first run was expected at 1970-01-01 06:00:00\.$/,
      ),
    );
  });

  test("a job is overdue, and not a moment too early", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    world.shift(-20 * 60);
    const env = { BACKUP_CRON: "*/10 * * * *" };
    const [late] = (await world.status(env)).findings;
    expect(late).toMatch(
      /^WARN {2}backup: its next run was expected at \S+ \d\d:\d\d:00, \S+ ago\. Does crond run\?$/,
    );
    expect((await world.status({ BACKUP_CRON: "0 0 1 1 *" })).first).toStartWith("OK ");
    expect((await world.json(env)).jobs[0]).toMatchObject({ job: "backup", overdue: true });
  });

  test("a job that runs is not overdue", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    world.shift(-86_400 * 3);
    world.restic('touch "$HOME/there"; sleep 30');
    world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    const { first, findings } = await world.status();
    expect(first).toStartWith("OK ");
    expect(findings[0]).toMatch(/^NOW {3}backup: running, since \S+, phase work, pid \d+$/);
  });

  test("skipped three times running, not twice", async () => {
    using world = new Scheduled();
    world.restic('touch "$HOME/there"; sleep 30');
    world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    for (let n = 0; n < 2; n++) expect((await world.run("backup")).code).toBe(75);
    expect((await world.status()).first).toStartWith("OK ");
    await world.run("locked_run", ["backup", world.link("backup")]);
    const { code, findings } = await world.status();
    expect(code).toBe(0);
    expect(findings).toContain(
      "WARN  backup: it was skipped 3 times in a row, because an earlier run is still going on.",
    );
  });

  test("skipped, and nothing is in the way any more", async () => {
    using world = new Scheduled();
    world.restic('touch "$HOME/there"; sleep 30');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    for (let n = 0; n < 3; n++) expect((await world.run("backup")).code).toBe(75);
    child.kill("SIGTERM");
    await child.exited;
    expect((await world.status()).findings).toContain(
      "WARN  backup: it was skipped 3 times in a row, and has not run since. Nothing is in its way any more: the next run ends this.",
    );
  });

  test("skipped, because a stranger holds the lock", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    const lock = join(world.lock, "backup.lock");
    const stranger = Bun.spawn(["flock", "-n", lock, "sh", "-c", "echo held; exec sleep 60"], {
      stdout: "pipe",
    });
    await stranger.stdout.getReader().read();
    for (let n = 0; n < 3; n++) expect((await world.run("backup")).code).toBe(75);
    expect((await world.status()).findings).toContain(
      `WARN  backup: it was skipped 3 times in a row, because another process holds its lock ${lock}.`,
    );
    stranger.kill("SIGKILL");
    await stranger.exited;
  });

  test("ten skips after each run hide no suspicious change, whatever room they take", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    // The names of the skips are long: a hundred of them fill what is read of the runs' end.
    const skip = (ago: number) =>
      historyLine(world, ago, { status: "skipped", exit_code: 75, release: "r".repeat(2000) });
    const text = Array.from({ length: 12 }, (_, n) => {
      const ago = (12 - n) * 3600;
      const run = historyLine(world, ago, {
        files_new: n < 2 ? 5 : 0,
        total_files_processed: n < 11 ? 100 : 7,
      });
      return run + Array.from({ length: 10 }, () => skip(ago - 60)).join("");
    }).join("");
    writeFileSync(join(world.log, "history.jsonl"), text);
    expect((await world.status()).findings).toEqual([
      expect.stringMatching(
        /^WARN {2}backup: it processed 7 files; the 10 runs before processed 100 \(median\)/,
      ),
    ]);
  });

  test("a run that died", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    world.restic('touch "$HOME/there"; sleep 30');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    child.kill("SIGKILL");
    await child.exited;
    const { code, findings } = await world.status();
    expect(code).toBe(0);
    expect(findings).toEqual([
      expect.stringMatching(
        /^WARN {2}backup: run backup-\S+ died without a record: pid \d+, started \S+ \S+, last seen in phase work\. restic may/,
      ),
    ]);
  });

  test("a warning: some files could not be read", async () => {
    using world = new Scheduled();
    world.restic("exit 3");
    await world.run("backup");
    const { code, findings } = await world.status();
    expect({ code, findings }).toEqual({
      code: 0,
      findings: [
        expect.stringMatching(
          /^WARN {2}backup: A snapshot was made, but some files could not be read \(exit 3\)/,
        ),
        expect.stringMatching(/^WARN {2}backup: restic reported no snapshot; /),
      ],
    });
  });

  test("an interrupted run", async () => {
    using world = new Scheduled();
    world.restic('touch "$HOME/there"; sleep 30');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    const { code, findings } = await world.status();
    expect(code).toBe(0);
    expect(findings[0]).toMatch(/^WARN {2}backup: its last run was interrupted \d+s ago \(exit 143\)\.$/);
  });

  test("a tool's last run failed", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    await world.run("notify-test");
    const { code, findings, stdout } = await world.status();
    expect(code).toBe(0);
    expect(findings[0]).toMatch(
      /^WARN {2}notify-test: its last run, \d+s ago, failed \(exit 2\): there is no recipient\. Set MAILX_RCPT/,
    );
    expect(stdout).toMatch(/^notify-test .* failed 2 .* not scheduled$/m);
  });

  test.each([
    ["", "it is not the record of a run"],
    ['{"schema":"restic-backup-helper.run/1","exit', "it is not the record of a run"],
    ["null", "it is not the record of a run"],
  ])("a record that is no record: %j", async (text, reason) => {
    using world = new Scheduled();
    world.file("log/last-backup.json", text);
    const { code, findings } = await world.status();
    expect({ code, findings }).toEqual({
      code: 0,
      findings: [`WARN  backup: its record ${world.log}/last-backup.json cannot be read: ${reason}.`],
    });
  });

  test("a named pipe in the place of a record does not make it wait", async () => {
    using world = new Scheduled();
    await world.exec(["mkfifo", join(world.log, "last-backup.json")]);
    const { code, findings } = await world.status();
    expect(code).toBe(0);
    expect(findings[0]).toContain("cannot be read: it is not a regular file.");
  });

  test("a record of the future", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    world.shift(86_400);
    expect((await world.status()).findings[0]).toMatch(/which is still to come\. Was the clock set back\?$/);
  });

  test("a record that ended in the future, and what is due is counted from the run before it", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    const past = historyLine(world, 3 * 86_400);
    const ahead = 70 * 365 * 86_400;
    const finished_epoch = Math.floor(Date.now() / 1000) + ahead;
    const record = { ...world.record(), finished_epoch };
    writeFileSync(join(world.log, "last-backup.json"), JSON.stringify(record));
    writeFileSync(join(world.log, "history.jsonl"), past + historyLine(world, -ahead));
    const { findings, stdout } = await world.status();
    expect(findings).toEqual([
      expect.stringMatching(/^WARN {2}backup: its last run ended at 20\d\d-.*, which is still to come\./),
      expect.stringMatching(/^WARN {2}backup: its next run was expected at /),
    ]);
    expect(stdout).toMatch(/^backup .* in the future /m);
    const report = await world.json();
    expect(report.findings).toContainEqual(expect.objectContaining({ job: "backup", kind: "future" }));
    expect(report).toMatchObject({ verdict: "WARN" });
    expect((await world.run("doctor")).stdout).toMatch(
      /WARN.*backup: its last run ended at .* still to come/,
    );
  });

  test("a line of the history from the future", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    appendFileSync(join(world.log, "history.jsonl"), historyLine(world, -86_400));
    appendFileSync(join(world.log, "history.jsonl"), historyLine(world, 1));
    expect((await world.status()).findings).toEqual([
      expect.stringMatching(
        /^WARN {2}backup: a run before its last one began at .*, which is still to come\./,
      ),
    ]);
    // Clocks of two machines may differ by some seconds.
    writeFileSync(join(world.log, "history.jsonl"), historyLine(world, -30));
    expect((await world.status()).first).toStartWith("OK ");
  });

  needing("restic").test("a source of which more than half is gone, made by real runs", async () => {
    using world = new Scheduled();
    world.useRestic(restic.path);
    await world.exec(["restic", "init"]);
    for (let n = 0; n < 9; n++) world.file(`source/more-${n}`, `${n}`);
    await world.run("backup");
    expect((await world.status()).first).toStartWith("OK ");
    await world.exec(["sh", "-c", `rm ${world.source}/more-*`]);
    expect((await world.run("backup")).code).toBe(0);
    expect((await world.status()).findings).toEqual([
      expect.stringMatching(
        /^WARN {2}backup: This backup of .* holds 1 file, and the last good one held 10: .*--accept\.$/,
      ),
    ]);
  });

  test("an expression that crond cannot read", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    expect((await world.status({ BACKUP_CRON: "0 25 * * *" })).findings).toEqual([
      'WARN  backup: BACKUP_CRON: hour "25" is outside of 0 to 23.',
    ]);
  });
});

describe("FAIL", () => {
  test.each([
    ["exit 1", "failed (exit 1): restic gave no reason."],
    [
      'echo "Fatal: wrong password or no key found" >&2; exit 1',
      "failed (exit 12): the password does not open the repository REPOSITORY. Correct RESTIC_PASSWORD or its _FILE. " +
        "restic said: Fatal: wrong password or no key found",
    ],
    ["kill -SEGV $$", "failed (exit 139): restic gave no reason."],
  ])("the last run of a job that is on: restic does %p", async (body, what) => {
    using world = new Scheduled();
    world.restic(body);
    await world.run("backup");
    const { code, first, findings } = await world.status();
    expect(code).toBe(1);
    expect(first).toMatch(/^FAIL {2}testhost/);
    expect(findings.map((line) => line.replace(/\d+s ago/, "0s ago"))).toEqual([
      `FAIL  backup: its last run, 0s ago, ${what.replace("REPOSITORY", world.repository)}`,
    ]);
    expect(await world.json()).toMatchObject({ verdict: "FAIL", failures: 1, warnings: 0, exit_code: 1 });
  });

  test("a time-out, and a configuration error with its words", async () => {
    using world = new Scheduled();
    world.restic("sleep 30");
    await world.run("backup", [], { env: { BACKUP_TIMEOUT: "1s" } });
    expect((await world.status()).findings[0]).toMatch(
      /^FAIL {2}backup: its last run, \d+s ago, timed out \(exit 124\): the work was ended .* BACKUP_TIMEOUT=1s\./,
    );
    await world.run("backup", [], { env: { RESTIC_TAG: "" } });
    expect((await world.status()).findings[0]).toMatch(
      /^FAIL {2}backup: its last run, \d+s ago, failed \(exit 2\): RESTIC_TAG is empty\./,
    );
  });

  test("it is worse than any number of warnings, and a success ends it", async () => {
    using world = new Scheduled();
    world.restic("exit 1");
    await world.run("backup");
    expect((await world.status({ CHECK_CRON: "@daily" })).first).toStartWith("FAIL ");
    world.restic();
    await world.run("backup");
    expect((await world.status()).first).toStartWith("OK ");
  });
});

test("a run in progress: its percentage and what is left", async () => {
  using world = new Scheduled();
  const line = JSON.stringify({
    message_type: "status",
    percent_done: 0.456,
    seconds_remaining: 185,
    total_files: 9,
  });
  world.restic(`echo '${line}'; touch "$HOME/there"; sleep 30`);
  const child = world.start("backup");
  await waitFor(async () => (await world.status()).stdout.includes("45% done"), "the percentage");
  const { code, first, findings } = await world.status();
  expect(code).toBe(0);
  // It has left no record yet because it is still at its first run: that is no finding.
  expect(first).toStartWith("OK ");
  expect(findings).toEqual([
    expect.stringMatching(/^NOW {3}backup: running, 45% done, 3m5s left, since \S+, phase work, pid \d+$/),
  ]);
  const { jobs } = await world.json();
  expect(jobs.find(({ job }: { job: string }) => job === "backup")).toMatchObject({
    status: "missing",
    last_status: "none",
    present: false,
    running: { pid: child.pid, phase: "work", percent: 45, eta_seconds: 185 },
  });
});

describe("the crontab that entry has written", () => {
  test("says which jobs are on; the environment does not", async () => {
    using world = new Scheduled();
    world.restic();
    await world.run("backup");
    world.shift(-86_400 * 2);
    world.file(
      "crontabs/root",
      `0 0 1 1 * /bin/locked_run backup ${world.lock}/backup.lock /bin/backup >> ${world.log}/cron.log 2>&1\n`,
    );
    const report = await world.json({ CHECK_CRON: "* * * * *" });
    expect(report.schedules.slice(1).every(({ enabled }: { enabled: boolean }) => !enabled)).toBe(true);
    expect(report).toMatchObject({
      verdict: "OK",
      crontab: { source: join(world.dir, "crontabs/root"), origin: "file", line_count: 1 },
      schedules: expect.arrayContaining([
        expect.objectContaining({ job: "backup", enabled: true, cron: "0 0 1 1 *", expression: "0 0 1 1 *" }),
      ]),
    });
  });

  test("one that holds none of our jobs is somebody else's", async () => {
    using world = new Scheduled();
    world.file("crontabs/root", "0 0 * * * run-parts /etc/periodic/daily\n");
    expect(await world.json()).toMatchObject({ crontab: { origin: "environment", line_count: 2 } });
  });
});

describe("--history", () => {
  test("the last runs of one worker and of all", async () => {
    using world = new Scheduled();
    world.restic();
    world.hook("pre-backup", "exit 0");
    for (const body of ["exit 0", "exit 12", "exit 0"]) {
      world.restic(body);
      await world.run("backup");
    }
    await world.run("notify-test");
    const { code, stdout, stderr } = await world.run("status", ["--history"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = stdout.split("\n");
    expect(rows[0]).toMatch(/^START +JOB +DURATION +RESULT +DATA ADDED +HOOKS$/);
    expect(rows.slice(1, 5).map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ["backup", expect.stringMatching(/^\d+s$/), "ok", "-", "1 ok"],
      ["backup", expect.stringMatching(/^\d+s$/), "failed 12", "-", "1 ok"],
      ["backup", expect.stringMatching(/^\d+s$/), "ok", "-", "1 ok"],
      ["notify-test", expect.stringMatching(/^\d+s$/), "failed 2", "-", "-"],
    ]);
    expect(rows[6]).toMatch(/^backup {2}duration {2}[▁▂▃▄▅▆▇█]{3} {2}\d+s to \d+s$/);
    const one = await world.run("status", ["--history", "notify-test"]);
    expect(one.stdout.split("\n").filter((line) => line.includes("notify-test"))).toHaveLength(1);
    expect(one.stdout).not.toContain("backup");
  });

  test.each([
    [["--history"], 0, "There is no run in LOG/history.jsonl yet.\n", ""],
    [["--history", "backup"], 0, "There is no run of backup in LOG/history.jsonl yet.\n", ""],
    [
      ["--history", "backupp"],
      2,
      "",
      "status: There is no worker backupp; did you mean backup?\nTry: status --help\n",
    ],
    [["backup"], 2, "", 'status: "backup" is expected only after --history.\nTry: status --help\n'],
    [
      ["--history", "--json"],
      2,
      "",
      "status: --history has no --json: LOG_DIR/history.jsonl is JSON, a run a line.\nTry: status --help\n",
    ],
    [
      ["--histroy"],
      2,
      "",
      "status: The flag --histroy is unknown; did you mean --history?\nTry: status --help\n",
    ],
  ])("%j", async (args, code, stdout, stderr) => {
    using world = new Scheduled();
    expect(await world.run("status", args)).toEqual({
      code,
      stdout: stdout.replace("LOG", world.log),
      stderr,
    });
  });
});

test("what a record holds is made visible, and LOG_DIR may be missing", async () => {
  using world = new Scheduled();
  world.restic();
  await world.run("backup");
  const path = join(world.log, "last-backup.json");
  const record = { ...world.record(), status: "failed", exit_code: 1, error: "line\n\u001b[31mred\u202e" };
  writeFileSync(path, JSON.stringify(record));
  const { stdout } = await world.status();
  expect(stdout).toMatch(/^FAIL {2}backup: .* line \\x1b\[31mred\\u202e$/m);
  expect(stdout).not.toContain("\u001b");
  const missing = await world.status({ LOG_DIR: "/nowhere", LOCK_DIR: "/nowhere" });
  expect({ code: missing.code, stderr: missing.stderr }).toEqual({ code: 0, stderr: "" });
  expect(missing.findings).toEqual(["WARN  backup: it is scheduled, but has left no record yet."]);
});

/** Every file of the world with its size and times. */
function filesOf(world: World): string[] {
  return (readdirSync(world.dir, { recursive: true }) as string[]).sort().map((name) => {
    const { size, mtimeMs, ino } = statSync(join(world.dir, name));
    return `${name} ${size} ${mtimeMs} ${ino}`;
  });
}
