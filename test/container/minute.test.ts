/**
 * What needs a real minute of a real crond. All containers are started first and share the minute that they wait for.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chownSync, lstatSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { nextTimes, parseCron } from "../../lib/schedule/cron.ts";
import { loadZone } from "../../lib/time/zone.ts";
import { Container, canEnter, type StartOptions, tree } from "../support/container.ts";
import { alive, World, waitFor } from "../support/world.ts";

const EVERY_MINUTE = { BACKUP_CRON: "* * * * *" };
/** A minute, and what a busy machine needs for eight backups at once. */
const PATIENCE_MS = 150_000;

const containers: Container[] = [];
const made = (prepare: (container: Container) => void, options: StartOptions) => {
  const container = new Container();
  containers.push(container);
  prepare(container);
  container.start(options);
  return container;
};

const hooks = (container: Container) => {
  container.hook("pre-backup", "echo the application stands still");
  container.hook("post-backup", 'echo "the application goes on: $1 $RBH_STATUS"');
};

const LARGE = Buffer.concat(
  Array.from({ length: 8 }, () => crypto.getRandomValues(new Uint8Array(65_536))),
).toString("base64");

/** Hooks that leave a process without a parent behind, each. */
const ORPHANS = 100;

/** entry without a crond on PATH, started in a folder that is deleted then, as is LOG_DIR. */
class Ticker extends World {
  shown = "";
  private readonly entry: Bun.Subprocess<"ignore", "pipe", "ignore">;

  constructor() {
    super();
    this.restic(`pwd >'${this.dir}/started-in'`);
    for (const name of ["sh", "flock", "mkfifo", "sleep"])
      symlinkSync(Bun.which(name) ?? name, `${this.bin}/${name}`);
    this.entry = Bun.spawn([this.link("restic-backup-helper"), "entry"], {
      env: {
        ...this.env,
        ...EVERY_MINUTE,
        PATH: this.bin,
        CRONTAB_DIR: this.folder("crontabs"),
        RESTIC_CHECK_REPOSITORY_STATUS: "OFF",
      },
      cwd: this.folder("gone"),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    void this.hear();
  }

  /** Resolves when it waits for its minute, and what it was started with has been deleted. */
  async begun(): Promise<void> {
    await waitFor(() => this.shown.includes("entry starts the jobs itself"), "entry");
    for (const folder of [this.log, `${this.dir}/gone`]) rmSync(folder, { recursive: true });
  }

  private async hear(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.entry.stdout) this.shown += decoder.decode(bytes, { stream: true });
  }

  override [Symbol.dispose](): void {
    this.entry.kill("SIGKILL");
    super[Symbol.dispose]();
  }
}

let first: Container;
let slow: Container;
let user: Container;
let readOnly: Container;
let noLog: Container;
let noSetgid: Container;
let lostLog: Container;
let ticker: Ticker;
let oracle: Container;
let dead: Container;
let server: Server;

/** Expressions of every form, many of which come in the minute of the test. */
function expressions(minute: number): string[] {
  const date = new Date(minute * 1000);
  const [m, h, d, mon, wd] = [
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth() + 1,
    date.getUTCDay(),
  ] as const;
  const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
  const other = (value: number, most: number) => (value + 7) % most;
  return [
    "* * * * *",
    `${m} * * * *`,
    `${other(m, 60)} * * * *`,
    `${m} ${h} * * *`,
    `${m} ${other(h, 24)} * * *`,
    "*/2 * * * *",
    "1-59/2 * * * *",
    "*/5 * * * *",
    `${m}-${m} * * * *`,
    `${(m + 50) % 60}-${(m + 10) % 60} * * * *`,
    `${(m + 1) % 60}-${(m + 59) % 60} * * * *`,
    `${other(m, 60)},${m} * * * *`,
    `* * ${d} * *`,
    `* * ${other(d, 28) + 1} * *`,
    `* * * ${mon} *`,
    `* * * ${(mon % 12) + 1} *`,
    `* * * * ${wd}`,
    `* * * * ${names[wd]}`,
    `* * * * ${names[(wd + 1) % 7]}`,
    `* * ${other(d, 28) + 1} * ${wd}`,
    `* * ${d} * ${(wd + 1) % 7}`,
    `* * ${other(d, 28) + 1} * ${(wd + 1) % 7}`,
    "* * */2 * *",
    "* * 1-31 * *",
    `* * 1-31 * ${(wd + 1) % 7}`,
    "* * * * 0-6",
    `* * ${other(d, 28) + 1} * 0-6`,
    "* * * jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec *",
    "0 0 1 1 *",
    "0 0 29 2 *",
  ];
}

/** The oracle's crontab. On a busy machine it may begin a minute later than the one that it was written for. */
let written: string[];

beforeAll(async () => {
  if (!canEnter) return;
  written = expressions((Math.floor(Date.now() / 60_000) + 1) * 60);
  oracle = made(
    (container) =>
      container.file(
        "tabs/root",
        written.map((text, at) => `${text} echo ${at} $(date +%s) >>/fired\n`).join(""),
        0o600,
      ),
    { command: ["/sbin/tini", "--", "crond", "-f", "-c", "/tabs"] },
  );
  first = made(
    (container) => {
      hooks(container);
      for (let at = 0; at < ORPHANS; at++) container.hook(`pre-backup.d/${at}`, "sleep 0.3 & exit 0");
    },
    { env: { ...EVERY_MINUTE, RESTIC_REPOSITORY: "/mnt/restic" } },
  );
  slow = made(
    (container) => {
      hooks(container);
      // At a KiB a second it takes minutes.
      container.file("data/large", LARGE);
    },
    { env: { ...EVERY_MINUTE, RESTIC_JOB_ARGS: "--limit-upload 1", BACKUP_ROOT_DIR: "/data" } },
  );
  user = made(
    (container) => {
      for (const path of ["home", "home/hooks", "home/source", "home/repository"])
        container.file(`${path}/.keep`, "");
      container.file("home/hooks/pre-backup.sh", "#!/bin/sh\necho I am $(id -u)\n", 0o755);
      chownAll(join(container.root, "home"), 1000);
    },
    {
      options: ["--user", "1000"],
      env: {
        ...EVERY_MINUTE,
        HOME: "/home",
        LOG_DIR: "/home/log",
        LOCK_DIR: "/home/run",
        HOOKS_DIR: "/home/hooks",
        CRONTAB_DIR: "/home/crontabs",
        BACKUP_ROOT_DIR: "/home/source",
        RESTIC_REPOSITORY: "/home/repository/new",
      },
    },
  );
  const writable = (...paths: string[]) => ["--read-only", ...paths.flatMap((path) => ["--tmpfs", path])];
  readOnly = made(hooks, {
    options: writable("/tmp", "/var/log", "/var/run", "/var/spool/cron/crontabs", "/mnt/restic"),
    env: { ...EVERY_MINUTE, RESTIC_REPOSITORY: "/mnt/restic", RESTIC_CACHE_DIR: "/tmp/cache" },
  });
  noLog = made(hooks, {
    options: writable("/tmp", "/var/run", "/var/spool/cron/crontabs", "/mnt/restic"),
    env: { ...EVERY_MINUTE, RESTIC_REPOSITORY: "/mnt/restic", RESTIC_CACHE_DIR: "/tmp/cache" },
  });
  lostLog = made(hooks, {
    options: ["--tmpfs", "/var/log"],
    env: { ...EVERY_MINUTE, RESTIC_REPOSITORY: "/mnt/restic" },
  });
  ticker = new Ticker();
  noSetgid = made(hooks, { options: ["--drop", "setgid"], env: EVERY_MINUTE });

  server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await lostLog.says("crond started");
  await lostLog.exec("mount", "-o", "remount,ro", "/var/log");
  await ticker.begun();
  dead = made(() => {}, { env: { RESTIC_REPOSITORY: `rest:http://me:sesame-open@127.0.0.1:${port}/` } });
}, 60_000);

afterAll(() => {
  ticker?.[Symbol.dispose]();
  for (const container of containers) container[Symbol.dispose]();
  server?.close();
});

function chownAll(path: string, id: number): void {
  chownSync(path, id, id);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) chownAll(join(path, name), id);
}

const backedUp = (container: Container) => container.says(/backup finished: ok, exit 0/, PATIENCE_MS);

describe.skipIf(!canEnter)(`a minute of crond in ${tree}`, () => {
  test(
    "SIGTERM in mid-backup: restic removes its lock, the post-hook runs, the record says interrupted, exit 0",
    async () => {
      await slow.says("Backing up to /repository.", PATIENCE_MS);
      const restic = await slow.one(/restic .*backup --json/);
      await waitFor(() => readdirSync(join(slow.root, "repository/locks")).length > 0, "restic's lock");
      slow.kill("SIGTERM");
      const { code, ms } = await slow.ended();
      expect(code).toBe(0);
      expect(ms).toBeLessThan(8000);
      expect(alive(restic)).toBe(false);
      expect(slow.output).toMatch(/SIGTERM to backup \(pid \d+\)\./);
      expect(slow.output).toContain("post-backup | the application goes on: 143 interrupted");
      expect(slow.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM", exit_code: 143 });
      expect(readdirSync(join(slow.root, "repository/locks"))).toEqual([]);
      expect(readdirSync(join(slow.root, "var/run")).filter((name) => name.endsWith(".json"))).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    "the first minute: repository, crontab, crond, hooks around a backup, on stdout and in cron.log",
    async () => {
      await backedUp(first);
      const { output } = first;
      const inOrder = [
        "It is 20",
        "There is no repository at /mnt/restic yet; creating it.",
        "/bin/locked_run backup /var/run/backup.lock /bin/backup --cron-log=/var/log/cron.log",
        "crond started",
        "backup started (run backup-",
        "pre-backup | the application stands still",
        "Backing up to /mnt/restic.",
        "post-backup | the application goes on: 0 ok",
        "backup finished: ok, exit 0",
      ];
      expect(inOrder.filter((text) => !output.includes(text))).toEqual([]);
      expect(inOrder.map((text) => output.indexOf(text))).toEqual(
        inOrder.map((text) => output.indexOf(text)).sort((a, b) => a - b),
      );
      const log = first.read("var/log/cron.log");
      const jobs = output.split("\n").filter((line) => line.includes("  backup  "));
      for (const line of jobs) expect(log).toContain(line);
      expect(first.record()).toMatchObject({ status: "ok", exit_code: 0, files_new: expect.any(Number) });
      expect(first.record().hooks).toHaveLength(ORPHANS + 2);
    },
    PATIENCE_MS,
  );

  test(
    "status is OK after the first minute",
    async () => {
      await backedUp(first);
      const { code, stdout } = await first.exec("/bin/status");
      expect(stdout).toContain("OK");
      expect(code).toBe(0);
    },
    PATIENCE_MS,
  );

  test(
    `no zombie after ${ORPHANS} hooks that left orphans`,
    async () => {
      await backedUp(first);
      const zombies = () => first.processes().filter(({ state }) => state === "Z");
      const orphans = () => first.processes().filter(({ words }) => words.startsWith("sleep 0.3"));
      await waitFor(() => orphans().length === 0, "the end of the orphans");
      await waitFor(() => zombies().length === 0, "the end of the zombies");
      expect(zombies()).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    "as another user, with everything relocated: entry starts the jobs itself",
    async () => {
      await backedUp(user);
      expect(user.output).toContain(
        "crond cannot be used (it runs jobs for root only): entry starts the jobs itself",
      );
      expect(user.output).toContain("pre-backup | I am 1000");
      expect(user.read("home/crontabs/root")).toContain(
        "* * * * * /bin/locked_run backup /home/run/backup.lock /bin/backup --cron-log=/home/log/cron.log\n",
      );
      expect(user.record("backup", "home/log")).toMatchObject({ status: "ok" });
      expect(lstatSync(join(user.root, "home/crontabs/root"))).toMatchObject({ uid: 1000 });
      const outside = ["var/log", "var/run", "var/spool/cron/crontabs"].filter((path) => user.has(path));
      expect(outside.flatMap((path) => readdirSync(join(user.root, path)))).toEqual([]);
      user.kill("SIGTERM");
      expect(await user.ended()).toMatchObject({ code: 0 });
    },
    PATIENCE_MS,
  );

  test(
    "a root without CAP_SETGID, for whom crond would run nothing: entry starts the jobs itself",
    async () => {
      await backedUp(noSetgid);
      expect(noSetgid.output).toContain("crond cannot be used (without CAP_SETGID it runs no job)");
    },
    PATIENCE_MS,
  );

  test(
    "with a read-only root and tmpfs on the named places",
    async () => {
      await backedUp(readOnly);
      expect(readOnly.output).toContain("crond started");
      expect((await readOnly.exec("cat", "/var/log/last-backup.json")).stdout).toContain('"status": "ok"');
      expect((await readOnly.exec("touch", "/x")).code).toBe(1);
    },
    PATIENCE_MS,
  );

  test(
    "LOG_DIR cannot be written: the backup is made all the same, and its lines go to stdout",
    async () => {
      await backedUp(noLog);
      expect(noLog.output).toContain(
        "WARN  entry  /var/log/cron.log cannot be written: the file system is read-only.",
      );
      expect(noLog.output).toContain("post-backup | the application goes on: 0 ok");
    },
    PATIENCE_MS,
  );

  test(
    "LOG_DIR turns read-only while the container lives: the backup is made all the same, and its lines go to stdout",
    async () => {
      await backedUp(lostLog);
      expect(lostLog.output).toContain("cron.log cannot be written: the file system is read-only.");
      expect(lostLog.output).toContain("post-backup | the application goes on: 0 ok");
      expect(lostLog.output).not.toContain("crond |");
    },
    PATIENCE_MS,
  );

  test(
    "entry's own jobs start in / when the folder that it was started in is gone, and LOG_DIR with it",
    async () => {
      await waitFor(() => ticker.shown.includes("backup finished: ok, exit 0"), "the job", PATIENCE_MS);
      expect(ticker.read("started-in")).toBe("/\n");
      expect(ticker.shown).toContain("cron.log cannot be written: no such file or directory.");
    },
    PATIENCE_MS,
  );

  test(
    "a server that hangs up: restic's own words, within its time, no init",
    async () => {
      const { code } = await dead.ended(45_000);
      expect(code).toBe(1);
      expect(dead.output).toMatch(
        /ERROR entry {2}rest:http:\/\/me:\*\*\*@127\.0\.0\.1:\d+\/ (did not answer within 30 s|cannot be opened)/,
      );
      expect(dead.output).not.toContain("sesame");
      expect(dead.output).not.toContain("creating it");
    },
    PATIENCE_MS,
  );

  test(
    "crond starts in that minute what cron-list says, and nothing else",
    async () => {
      await waitFor(() => oracle.has("fired"), "the minute", PATIENCE_MS);
      const fired = () =>
        oracle
          .read("fired")
          .trim()
          .split("\n")
          .map((line) => line.split(" ").map(Number) as [at: number, seconds: number]);
      const minute = Math.floor((fired()[0]?.[1] ?? 0) / 60) * 60;
      const inMinute = () =>
        fired()
          .filter(([, seconds]) => seconds >= minute && seconds < minute + 60)
          .map(([at]) => at)
          .sort((a, b) => a - b);
      const zone = loadZone("UTC");
      const isDue = (text: string) => nextTimes(parseCron(text), minute - 1, zone, 1)[0] === minute;
      const due = written.flatMap((text, at) => (isDue(text) ? [at] : []));
      await waitFor(() => inMinute().length >= due.length, "all of them", 30_000);
      expect(inMinute()).toEqual(due);
      expect(due.length).toBeGreaterThan(10);
      expect(written.length - due.length).toBeGreaterThan(5);
    },
    PATIENCE_MS,
  );
});
