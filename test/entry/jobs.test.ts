/**
 * The jobs of a container, whatever becomes of LOG_DIR, of stdout and of crond. A fake crond starts the first job of the
 * crontab at once, as busybox's does in its minute (test/container/minute.test.ts).
 */

import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Gate } from "../support/gate.ts";
import { Receiver, status } from "../support/receiver.ts";
import { alive, World, waitFor } from "../support/world.ts";

const started: Bun.Subprocess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** A container's world with a crond of this body; `$1` is its folder of crontabs. */
class Scheduled extends World {
  readonly crontabs = this.folder("crontabs");

  constructor(crond = "exec sleep 60") {
    super();
    Object.assign(this.env, { CRONTAB_DIR: this.crontabs, RESTIC_CHECK_REPOSITORY_STATUS: "OFF" });
    this.restic();
    this.program("crond", `while [ "$1" != -c ]; do shift; done; shift\n${crond}`);
  }

  /** Starts entry; what it writes to `stdout`, by default a socket, is in `shown`. */
  enter(env: Record<string, string> = {}, stdout: "pipe" | number = "pipe") {
    const child = Bun.spawn([this.link("restic-backup-helper"), "entry"], {
      env: { ...this.env, ...env },
      cwd: this.dir,
      stdin: "ignore",
      stdout,
      stderr: "ignore",
    });
    started.push(child);
    const entry = { child, shown: "" };
    if (child.stdout instanceof ReadableStream) void read(child.stdout, (text) => (entry.shown += text));
    return entry;
  }

  /** The command of the crontab's first line, as a world of its own writes it. */
  get command(): string {
    return `${this.bin}/locked_run backup ${this.lock}/backup.lock ${this.bin}/backup --cron-log=${this.log}/cron.log`;
  }
}

async function read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}

/** Starts the first job of the crontab, with crond's own stdout and stderr. */
const FIRST_JOB = `job=$(sed -n '1s/^\\([^ ]* \\)\\{5\\}//p' "$1/root")\nsh -c "$job"`;

const spoiled: Record<string, (world: World) => void> = {
  "is deleted": (world) => rmSync(world.log, { recursive: true }),
  "is a file": (world) => {
    rmSync(world.log, { recursive: true });
    writeFileSync(world.log, "");
  },
  "has a folder named cron.log": (world) => mkdirSync(join(world.log, "cron.log")),
  "has a pipe named cron.log": (world) => Bun.spawnSync(["mkfifo", join(world.log, "cron.log")]),
  "has a link named cron.log": (world) => symlinkSync(world.file("secret", ""), join(world.log, "cron.log")),
};

describe("a line of the crontab", () => {
  test("appends to cron.log what the job says, and shows nothing on stdout", async () => {
    using world = new Scheduled();
    writeFileSync(join(world.log, "cron.log"), "before\n");
    const { code, stdout, stderr } = await world.exec(["sh", "-c", world.command]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(world.read("log/cron.log")).toStartWith("before\n");
    expect(world.read("log/cron.log")).toContain("backup finished: ok, exit 0");
  });

  test.each(Object.keys(spoiled))("runs its job when LOG_DIR %s: its lines are on stdout", async (how) => {
    using world = new Scheduled();
    spoiled[how]?.(world);
    const { code, stdout } = await world.exec(["sh", "-c", world.command]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/WARN {2}backup {2}\S+cron\.log cannot be written: .+ on stdout only\./);
    expect(stdout).toContain("backup finished: ok, exit 0");
    if (world.has("secret")) expect(world.read("secret")).toBe("");
  });

  test.skipIf(process.getuid?.() !== 0)("goes on on stdout when the disk of cron.log is full", async () => {
    using world = new Scheduled();
    const small = world.folder("small");
    expect((await world.exec(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small])).code).toBe(0);
    try {
      writeFileSync(join(small, "cron.log"), Buffer.alloc(12 * 1024, "x\n"));
      world.restic("seq -f 'a line of restic, number %.0f' 500");
      const command = world.command.replace(`${world.log}/cron.log`, join(small, "cron.log"));
      const { code, stdout } = await world.exec(["sh", "-c", command]);
      expect(code).toBe(0);
      expect(readFileSync(join(small, "cron.log"), "utf8")).toContain("backup started");
      expect(stdout).toContain("cron.log cannot be written: no space left on the device.");
      expect(stdout).toContain("number 500\n");
      expect(stdout).toContain("backup finished: ok, exit 0");
    } finally {
      await world.exec(["umount", small]);
    }
  });

  test("nobody reads stdout either: the job runs all the same", async () => {
    using world = new Scheduled();
    rmSync(world.log, { recursive: true });
    await world.exec(["sh", "-c", `(${world.command}; echo $? >code) | true`]);
    expect(world.read("code")).toBe("0\n");
  });
});

describe("under entry", () => {
  test("LOG_DIR cannot be written, and stdout is a socket: the job runs, and its lines are shown", async () => {
    using world = new Scheduled(`${FIRST_JOB}\nexec sleep 60`);
    world.env.LOG_DIR = world.file("file", "");
    const entry = world.enter();
    await waitFor(() => entry.shown.includes("backup finished: ok, exit 0"), "the job's end");
    expect(entry.shown).toContain("/cron.log cannot be written: ");
    expect(entry.shown).not.toContain("crond |");
  });

  test("LOG_DIR goes while the container lives: the next job runs, and its lines are shown", async () => {
    using world = new Scheduled(`until [ -e '$GO' ]; do sleep 0.05; done\n${FIRST_JOB}\nexec sleep 60`);
    world.program("crond", readFileSync(join(world.bin, "crond"), "utf8").replace("$GO", `${world.dir}/go`));
    const entry = world.enter();
    await waitFor(() => entry.shown.includes("crond started"), "crond");
    expect(entry.shown).not.toContain("cannot be written");
    rmSync(world.log, { recursive: true });
    world.file("go", "");
    await waitFor(() => entry.shown.includes("backup finished: ok, exit 0"), "the job's end");
    expect(entry.shown).toContain("cron.log cannot be written: no such file or directory.");
  });

  test("what crond says is an ERROR, and an alert, once", async () => {
    using world = new Scheduled(
      'for at in 1 2 3; do echo "crond: user alice: unknown ($at)" >/dev/stderr; done\nexec sleep 60',
    );
    using receiver = await Receiver.start(status(200));
    const entry = world.enter({
      WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      WEBHOOK_ON_ERROR: "ON",
    });
    await waitFor(() => receiver.requests.length > 0, "the webhook");
    expect(entry.shown.match(/ERROR entry {2}crond \| crond: user alice: unknown \(\d\)\n/g)).toHaveLength(3);
    const bodies = receiver.requests.map(({ body }) => JSON.parse(body));
    expect(bodies).toEqual([
      expect.objectContaining({
        job: "entry",
        status: "failed",
        error: expect.stringContaining("crond says: crond: user alice: unknown (1)"),
      }),
    ]);
  });

  test("a line whose job still runs is a skip, and the third in a row an alert; crond's greeting is left out", async () => {
    using world = new Scheduled(
      "{ echo 'crond: crond (busybox 1.35.0) started, log level 7'; echo 'crond: USER root pid  12 cmd true'\n" +
        'for at in 1 2 3; do until [ -e "$1/../go.$at" ]; do sleep 0.02; done\n' +
        "echo \"crond: user root: process already running: $(sed -n '1s/^\\([^ ]* \\)\\{5\\}//p' $1/root)\"; done; } >/dev/stderr\n" +
        "exec sleep 60",
    );
    using receiver = await Receiver.start(status(200));
    const webhook = { WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`, WEBHOOK_ON_ERROR: "ON" };
    const gate = new Gate(world);
    world.restic(gate.here);
    const entry = world.enter(webhook);
    const run = world.start("backup");
    await gate.reached();
    for (const at of [1, 2, 3]) {
      world.file(`go.${at}`, "");
      await waitFor(() => world.history().length === at, "the skip");
    }
    await waitFor(() => receiver.requests.length > 0, "the webhook");
    gate.open();
    await run.exited;
    expect(entry.shown).toMatch(
      /WARN {2}backup {2}backup skipped: previous run still active \(pid \d+ since [^)]*\); the 3rd time in a row/,
    );
    expect(entry.shown).not.toContain("crond |");
    expect(receiver.requests.map(({ body }) => JSON.parse(body))).toEqual([
      expect.objectContaining({ job: "backup", status: "skipped", skips_in_a_row: 3 }),
    ]);
  });

  test("a job that cannot be started is an ERROR, and an alert", async () => {
    using world = new Scheduled(`${FIRST_JOB.replace('"$job"', '"/none/$job"')}\nexec sleep 60`);
    using receiver = await Receiver.start(status(200));
    const entry = world.enter({ WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/` });
    await waitFor(() => receiver.requests.length > 0, "the webhook");
    expect(entry.shown).toMatch(/ERROR entry {2}crond \| sh: .*not found/);
    expect(JSON.parse(receiver.requests[0]?.body ?? "").error).toContain("not found");
  });
});

describe("when crond dies", () => {
  test("what runs has STOP_TIMEOUT: restic ends, the post-hook runs, and the alert channels hear of it", async () => {
    using world = new Scheduled(`(${FIRST_JOB}) &\nuntil [ -e "$1/../die" ]; do sleep 0.05; done\nexit 3`);
    using receiver = await Receiver.start(status(200));
    const gate = new Gate(world);
    world.restic(`trap 'sleep 2; exit 130' INT\n${gate.here}`);
    world.hook("post-backup", `sleep 0.5; echo "$1 $RBH_STATUS" >'${world.dir}/post'`);
    const entry = world.enter({ WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`, STOP_TIMEOUT: "20" });
    await gate.reached();
    world.file("die", "");
    expect(await entry.child.exited).toBe(1);
    expect(entry.shown).toContain("ERROR entry  crond ended (exit 3): no more backups would be made.");
    expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM", exit_code: 143 });
    expect(world.read("post")).toBe("143 interrupted\n");
    const errors = receiver.requests.map(({ body }) => JSON.parse(body).error);
    expect(errors).toContainEqual(expect.stringContaining("crond ended (exit 3)"));
    expect(world.processes()).toEqual([]);
  });
});

test("a crond that dies at every start is one alert, and nobody hears that all is well again", async () => {
  using world = new Scheduled("exit 3");
  using receiver = await Receiver.start(status(200));
  const webhook = { WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`, WEBHOOK_ON_ERROR: "ON" };
  for (let start = 0; start < 3; start++) expect(await world.enter(webhook).child.exited).toBe(1);
  expect(receiver.requests.map(({ body }) => JSON.parse(body))).toEqual([
    expect.objectContaining({
      job: "entry",
      status: "failed",
      error: expect.stringContaining("crond ended (exit 3)"),
    }),
  ]);
});

describe("a run that is killed while entry lives", () => {
  test.each(["pre-backup", "restic", "post-backup"])(
    "in %s: its post-hooks run, the channels and the history hear of it within seconds, once",
    async (where) => {
      using world = new Scheduled();
      using receiver = await Receiver.start(status(200));
      const webhook = { WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`, WEBHOOK_ON_ERROR: "ON" };
      const gate = new Gate(world);
      world.hook("post-backup", `echo "$1 $RBH_STATUS $RBH_RUN_ID" >>'${world.dir}/post'`);
      if (where === "restic") world.restic(gate.here);
      else world.hook(where, gate.here);
      const entry = world.enter(webhook);
      await waitFor(() => entry.shown.includes("crond started"), "crond");
      const run = world.start("backup", [], { env: webhook });
      const child = await gate.reached();
      const { run_id } = JSON.parse(world.read("lock/backup.run.json"));
      run.kill("SIGKILL");
      await run.exited;
      process.kill(child, "SIGKILL");
      await waitFor(() => receiver.requests.length > 0, "the webhook");
      expect(receiver.requests.map(({ body }) => JSON.parse(body))).toEqual([
        expect.objectContaining({ job: "backup", status: "died", exit_code: 137, run_id }),
      ]);
      expect(world.history()).toEqual([expect.objectContaining({ status: "died", run_id })]);
      expect(entry.shown).toContain(`died without a record: run ${run_id}`);
      const owed = where === "post-backup" ? undefined : `137 died ${run_id}\n`;
      expect(world.has("post") ? world.read("post") : undefined).toBe(owed);
      // The next run does none of it again.
      world.restic();
      for (const name of ["pre-backup", "post-backup"])
        rmSync(join(world.hooks, `${name}.sh`), { force: true });
      const { code, stdout } = await world.run("backup", [], { env: webhook });
      expect(code).toBe(0);
      expect(stdout).not.toContain("died without a record");
      expect(world.history().map(({ status }) => status)).toEqual(["died", "ok"]);
      expect(receiver.requests.map(({ body }) => JSON.parse(body).status)).toEqual(["died", "ok"]);
    },
  );
});

describe("entry", () => {
  test.each(["SIGUSR1", "SIGUSR2", "SIGALRM"] as const)(
    "says that %s means nothing, and goes on",
    async (name) => {
      using world = new Scheduled();
      const entry = world.enter();
      await waitFor(() => entry.shown.includes("crond started"), "crond");
      entry.child.kill(name);
      await waitFor(() => entry.shown.includes(name), "the word");
      expect(entry.shown).toContain(
        `WARN  entry  Received ${name}, which means nothing to entry: it goes on.`,
      );
      entry.child.kill("SIGQUIT");
      expect(await entry.child.exited).toBe(0);
      expect(entry.shown).toContain("Received SIGQUIT: starting no more jobs");
    },
  );

  /** Descriptors of what stdout can be, none of which anybody reads. */
  const unread = `
import os, pty, socket, sys, termios
kind = sys.argv[1]
if kind == "a terminal after Ctrl-S":
    reader, writer = pty.openpty()
    termios.tcflow(writer, termios.TCOOFF)
elif kind == "a socket":
    reader, writer = (each.detach() for each in socket.socketpair())
else:
    reader, writer = os.pipe()
    if kind == "another user's pipe":
        os.fchmod(writer, 0); os.fchown(writer, 0, 0)
pid = os.fork()
if pid == 0:
    if kind == "another user's pipe": os.setgid(65534); os.setuid(65534)
    os.dup2(writer, 1); os.close(reader)
    os.execvp(sys.argv[2], sys.argv[2:])
print(pid, flush=True)
os.close(writer)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

  test.each(["a pipe", "a socket", "a terminal after Ctrl-S"])(
    "hears a stop, and goes on with its work, while nobody reads stdout: %s",
    async (kind) => {
      using world = new Scheduled();
      const gate = new Gate(world);
      world.hook("pre-backup", gate.here);
      world.hook("post-backup", `touch '${world.dir}/post'`);
      const words = ["python3", "-c", unread, kind, world.link("restic-backup-helper"), "entry"];
      const outer = Bun.spawn(words, { env: world.env, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
      started.push(outer);
      const { value } = await outer.stdout.getReader().read();
      const pid = Number(new TextDecoder().decode(value));
      await waitFor(() => world.has("lock/entry.json"), "entry's mark");
      for (let part = 0; part < 100; part++)
        appendFileSync(join(world.log, "cron.log"), `${"a long line of a job, ".repeat(50)}\n`.repeat(1000));
      // What entry looks for every second it still finds.
      const run = world.start("backup");
      const child = await gate.reached();
      run.kill("SIGKILL");
      process.kill(child, "SIGKILL");
      await waitFor(() => world.has("post"), "the post-hooks of the run that died");
      const begun = performance.now();
      process.kill(pid, "SIGTERM");
      expect(await outer.exited).toBe(0);
      expect(performance.now() - begun).toBeLessThan(9500);
      expect(alive(pid)).toBe(false);
    },
  );
});
