/** The start of a container: what is made ready, what is refused, and how it ends. No test waits for a minute. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Container, canEnter, PASSWORD, tree } from "../support/container.ts";
import { restics } from "../support/restics.ts";
import { alive, waitFor } from "../support/world.ts";

const container = describe.skipIf(!canEnter);

container(`a start in ${tree}`, () => {
  test("a repository that is there is opened, the crontab is written for its owner only, crond runs", async () => {
    using container = new Container();
    container.start({ env: { CHECK_CRON: "@weekly" } });
    await container.says("crond started");
    expect(container.output).toContain("The repository /repository exists and can be opened.");
    expect(container.read("var/spool/cron/crontabs/root")).toBe(
      "0 0 1 1 * /bin/locked_run backup /var/run/backup.lock /bin/backup --cron-log=/var/log/cron.log\n" +
        "0 0 * * 0 /bin/locked_run check /var/run/check.lock /bin/check --cron-log=/var/log/cron.log\n" +
        "0 0 * * 6 /bin/locked_run rotate_log /var/run/rotate_log.lock /bin/rotate_log --cron-log=/var/log/cron.log\n",
    );
    expect((await container.exec("stat", "-c", "%a %U", "/var/spool/cron/crontabs/root")).stdout).toBe(
      "600 root\n",
    );
    expect(container.processes().map(({ words }) => words.split(" ")[0])).toEqual([
      "/sbin/tini",
      "/entry.sh",
      "crond",
    ]);
    container.kill("SIGTERM");
    expect(await container.ended()).toMatchObject({ code: 0 });
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s ends an idle container within a second, exit 0",
    async (signal) => {
      using container = new Container();
      container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
      await container.says("crond started");
      container.kill(signal);
      const { code, ms } = await container.ended();
      expect(code).toBe(0);
      expect(ms).toBeLessThan(3000);
      expect(container.output).toContain(`Received ${signal}: starting no more jobs`);
    },
  );

  test("words are run instead: a command of ours, any other, with their exit codes", async () => {
    for (const [words, code, said] of [
      [["cron-list"], 0, "Time zone  UTC"],
      [["backup", "--nonsense"], 2, "The flag --nonsense is unknown"],
      [["sh", "-c", "echo $0 $1; exit 7", "a", "b c"], 7, "a b c\n"],
      [["env", "A=a thing", "sh", "-c", "echo $A"], 0, "a thing\n"],
      [["no-such-thing"], 127, "no-such-thing was not found in PATH"],
      [["sh", "-c", "kill -9 $$"], 137, ""],
    ] as const) {
      using container = new Container();
      container.start({ command: ["/sbin/tini", "--", "/entry.sh", ...words] });
      expect([words, await container.ended()]).toEqual([words, expect.objectContaining({ code })]);
      expect(container.output).toContain(said);
      expect(container.has("var/spool/cron/crontabs/root")).toBe(false);
    }
  });

  test("old names are mapped for everything that runs here, with a warning", async () => {
    using container = new Container();
    container.file("config/replicate_jobs.txt", "# none\n");
    container.start({ env: { SYNC_CRON: "5 4 * * *", SYNC_VERBOSE: "OFF", REPLICATE_VERBOSE: "ON" } });
    await container.says("crond started");
    expect(container.output).toContain(
      "WARN  entry  SYNC_CRON is the old name of REPLICATE_CRON and still works. Rename it.",
    );
    expect(container.output).toContain("WARN  entry  SYNC_VERBOSE has no effect: REPLICATE_VERBOSE is set");
    expect(container.read("var/spool/cron/crontabs/root")).toContain("5 4 * * * /bin/locked_run replicate ");
    const environ = await container.exec(
      "cat",
      `/proc/${(await container.exec("pidof", "crond")).stdout.trim()}/environ`,
    );
    expect(environ.stdout.split("\0")).toContain("REPLICATE_CRON=5 4 * * *");
    expect(environ.stdout).not.toContain("SYNC_");
  });
});

container(`a repository that cannot be used ends the start, and none is created, in ${tree}`, () => {
  test("a missing one is created, with RESTIC_INIT_ARGS; at the next start it is there", async () => {
    using container = new Container();
    const env = { RESTIC_REPOSITORY: "/mnt/restic", RESTIC_INIT_ARGS: "--repository-version 1" };
    container.start({ env });
    await container.says("crond started");
    expect(container.output).toContain("There is no repository at /mnt/restic yet; creating it.");
    expect(container.has("mnt/restic/config")).toBe(true);
    container.kill("SIGTERM");
    await container.ended();
    using again = new Container();
    Bun.spawnSync(["cp", "-a", `${container.root}/mnt/restic`, `${again.root}/mnt/`]);
    again.start({ env });
    await again.says("crond started");
    expect(again.output).toContain("The repository /mnt/restic exists and can be opened.");
    expect(again.output).not.toContain("created");
  });

  test("RCLONE_CONFIG's default reaches restic for a repository of rclone, and nobody is asked for a password", async () => {
    using container = new Container();
    container.file("config/rclone.conf", "[far]\ntype = local\n");
    container.restic("env >/data/seen; exit 1");
    container.start({ env: { RESTIC_REPOSITORY: "rclone:far:repo" } });
    expect(await container.ended()).toMatchObject({ code: 1 });
    const seen = container.read("data/seen").split("\n");
    expect(seen).toContain("RCLONE_CONFIG=/config/rclone.conf");
    expect(seen).toContain("RCLONE_ASK_PASSWORD=false");
  });

  test.each<[string, Record<string, string>, RegExp]>([
    [
      "wrong password",
      { RESTIC_PASSWORD: "not the password" },
      /The password does not open the repository \/repository\./,
    ],
    ["no password", { RESTIC_PASSWORD: "" }, /The repository's password is missing\./],
    [
      "unreadable RESTIC_REPOSITORY_FILE",
      { RESTIC_REPOSITORY_FILE: "/none" },
      /RESTIC_REPOSITORY_FILE=\/none cannot be read: no such file/,
    ],
    [
      "unreachable: ssh missing or refused",
      { RESTIC_REPOSITORY: "sftp:x@127.0.0.1:/r" },
      /cannot be opened|did not answer/,
    ],
    [
      "NFS mount that fails",
      { NFS_TARGET: "127.0.0.1:/none", RESTIC_REPOSITORY: "/mnt/restic" },
      /NFS_TARGET=127\.0\.0\.1:\/none cannot be mounted \(exit \d+\)/,
    ],
    [
      "nonsense in RESTIC_INIT_ARGS",
      { RESTIC_REPOSITORY: "/mnt/restic", RESTIC_INIT_ARGS: "--nonsense" },
      /could not be created \(exit \d+\)/,
    ],
  ])("%s", async (_, env, reason) => {
    using container = new Container();
    container.start({ env });
    const { code } = await container.ended(60_000);
    expect(container.output).toMatch(reason);
    expect(code).toBe(1);
    expect(container.has("var/spool/cron/crontabs/root")).toBe(false);
    expect(container.has("mnt/restic/config")).toBe(false);
    expect(container.output).not.toContain("crond started");
  });

  test("SIGTERM while the repository is probed: exit 0, nothing started", async () => {
    using container = new Container();
    container.file("usr/local/bin/restic", "#!/bin/sh\nsleep 60\n", 0o755);
    container.start();
    await container.one(/^\/bin\/sh .*restic .*cat config/);
    container.kill("SIGTERM");
    expect(await container.ended()).toMatchObject({ code: 0 });
    expect(container.output).toContain("Received SIGTERM before the first job was started.");
    expect(container.has("var/spool/cron/crontabs/root")).toBe(false);
  });
});

describe.skipIf(!canEnter)("never init on a failure that is not a missing repository", () => {
  test.each(restics.map(({ version, path }) => [version, path]))("restic %s", async (_, path) => {
    // What each version says and exits with is taken from the real one; outcome.test.ts holds the table.
    for (const repository of ["rest:http://127.0.0.1:1/", "/etc/hostname/below"]) {
      const child = Bun.spawn(
        ["timeout", "-s", "INT", "1", path, "-r", repository, "--no-cache", "--no-lock", "cat", "config"],
        {
          env: { PATH: "/usr/bin:/bin", HOME: "/tmp", RESTIC_PASSWORD: PASSWORD },
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [stdout, stderr, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      const { parseProbe } = await import("../../lib/restic/open.ts");
      const verdict = parseProbe(
        { code, signal: undefined, cause: undefined, stdout, stderr },
        { shown: repository },
        3000,
      );
      expect([repository, verdict.status]).toEqual([repository, "unreachable"]);
    }
  });
});

container(`a configuration that makes no sense: exit 2, no crontab, in ${tree}`, () => {
  test.each<[string, Record<string, string>, string]>([
    ["a field", { BACKUP_CRON: "61 * * * *" }, 'BACKUP_CRON: minute "61" is outside of 0 to 59.'],
    ["a newline", { BACKUP_CRON: "0 0 * * *\n* * * * * touch /pwned" }, "BACKUP_CRON: expression"],
    ["a percent sign", { CHECK_CRON: "0 0 * * *%" }, "CHECK_CRON: expression"],
    ["a hash", { CHECK_CRON: "0 0 # * *" }, "CHECK_CRON: day of month"],
    ["a quote", { PRUNE_CRON: "'0 0 * * *'" }, "PRUNE_CRON: minute"],
    ["a path with a newline", { LOG_DIR: "/var/log\n* * * * * touch /pwned" }, "LOG_DIR="],
    ["a path with a quote", { LOCK_DIR: "/var/run'" }, "LOCK_DIR="],
  ])("%s", async (_, env, said) => {
    using container = new Container();
    container.start({ env });
    expect(await container.ended()).toMatchObject({ code: 2 });
    expect(container.output).toContain(`ERROR entry  ${said}`);
    expect(container.has("var/spool/cron/crontabs/root")).toBe(false);
    expect(container.output).not.toContain("crond started");
  });

  test("the reason is what Kubernetes shows of the container", async () => {
    using container = new Container();
    container.file("dev/termination-log", "");
    container.start({ env: { BACKUP_CRON: "61 * * * *" } });
    expect(await container.ended()).toMatchObject({ code: 2 });
    expect(container.read("dev/termination-log")).toBe(
      'entry: BACKUP_CRON: minute "61" is outside of 0 to 59.\n',
    );
  });
});

container(`crond in ${tree}`, () => {
  test("killed: entry says so and exits with 1 within two seconds", async () => {
    using container = new Container();
    container.file("dev/termination-log", "");
    container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    await container.says("crond started");
    process.kill(await container.one(/^crond /), "SIGKILL");
    const { code, ms } = await container.ended();
    expect(code).toBe(1);
    expect(ms).toBeLessThan(2000);
    expect(container.output).toContain(
      "ERROR entry  crond ended (killed by SIGKILL): no more backups would be made. Exiting so that the container is restarted.",
    );
    expect(container.read("dev/termination-log")).toContain("crond ended (killed by SIGKILL)");
  });

  test("killed while a backup runs: that ends within STOP_TIMEOUT, with its post-hook", async () => {
    using container = new Container();
    container.restic("trap 'sleep 2; exit 130' INT; touch /here; while :; do sleep 0.1; done");
    container.hook("post-backup", 'sleep 0.5; echo "$1 $RBH_STATUS" >/post');
    container.start({ env: { STOP_TIMEOUT: "20", RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    await container.says("crond started");
    await container.exec("sh", "-c", "STOP_TIMEOUT=20 /bin/backup >/dev/null 2>&1 &");
    await waitFor(() => container.has("here"), "restic");
    process.kill(await container.one(/^crond /), "SIGKILL");
    expect(await container.ended(30_000)).toMatchObject({ code: 1 });
    expect(container.read("post")).toBe("143 interrupted\n");
    expect(container.record()).toMatchObject({ status: "interrupted", exit_code: 143 });
  });

  test("its words are errors: a user that it does not know", async () => {
    using container = new Container();
    container.file("var/spool/cron/crontabs/alice", "* * * * * true\n", 0o600);
    container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    await container.says(/ERROR entry {2}crond \| (crond: )?ignoring file 'alice' \(no such user\)\n/);
    expect(container.output).not.toContain("log level");
  });

  test("that cannot even start: exit 1 with its words", async () => {
    using container = new Container();
    container.file("usr/local/bin/crond", "#!/bin/sh\necho 'crond: out of order' >&2\nexit 3\n", 0o755);
    container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    expect(await container.ended()).toMatchObject({ code: 1 });
    expect(container.output).toContain("entry  crond | crond: out of order\n");
    expect(container.output).toContain("crond ended (exit 3)");
  });
});

container(`a run that is killed in ${tree}`, () => {
  test("while restic goes on: its post-hook runs within seconds, the history and the log say that it died", async () => {
    using container = new Container();
    container.restic("touch /here; exec sleep 60");
    container.hook("post-backup", 'echo "$1 $RBH_STATUS" >>/post');
    container.start({ env: { RESTIC_CHECK_REPOSITORY_STATUS: "OFF" } });
    await container.says("crond started");
    await container.exec("sh", "-c", "/bin/backup >/dev/null 2>&1 &");
    await waitFor(() => container.has("here"), "restic");
    process.kill(await container.one(/^\/bin\/backup/), "SIGKILL");
    await waitFor(() => container.has("post"), "the post-hook");
    await container.says("died without a record");
    await waitFor(() => container.read("post") !== "", "the post-hook's words");
    expect(container.read("post")).toBe("137 died\n");
    const history = container.read("var/log/history.jsonl").trim().split("\n");
    expect(history.map((line) => JSON.parse(line).status)).toEqual(["died"]);
  });
});

container(`a stop in ${tree}`, () => {
  test("a worker that does not end, and that somebody else started: killed, said, exit 0 within the bound", async () => {
    using container = new Container();
    const large = Array.from({ length: 8 }, () => crypto.getRandomValues(new Uint8Array(65_536)));
    container.file("data/large", Buffer.concat(large).toString("base64"));
    container.start({ env: { STOP_TIMEOUT: "3" } });
    await container.says("crond started");
    // In the background: nsenter would stop with its child, and then not reap it.
    await container.exec("sh", "-c", "RESTIC_JOB_ARGS='--limit-upload 1' /bin/backup >/dev/null 2>&1 &");
    const restic = await container.one(/restic .*backup --json/);
    const worker = await container.one(/^\/bin\/backup/);
    process.kill(worker, "SIGSTOP");
    container.kill("SIGTERM");
    const { code, ms } = await container.ended();
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(2500);
    expect(ms).toBeLessThan(6000);
    expect(container.output).toMatch(/ERROR entry {2}backup \(pid \d+\) did not exit in time; killing it\./);
    expect([alive(worker), alive(restic)]).toEqual([false, false]);
  });

  test("a second signal, two seconds later, ends it at once", async () => {
    using container = new Container();
    container.hook("pre-backup", "trap '' TERM; echo stubborn; while :; do sleep 1; done");
    container.start({ env: { STOP_TIMEOUT: "60" } });
    await container.says("crond started");
    const backup = container.exec("env", "STOP_TIMEOUT=60", "/bin/backup");
    await container.one(/pre-backup/);
    container.kill("SIGTERM");
    await container.says("SIGTERM to backup");
    // What comes sooner belongs to the first one.
    await Bun.sleep(2200);
    container.kill("SIGTERM");
    const { code, ms } = await container.ended();
    expect([code, (await backup).code]).toEqual([0, 143]);
    expect(ms).toBeLessThan(5000);
    expect(container.record()).toMatchObject({ status: "interrupted", exit_code: 143 });
  });
});

container(`as process 1 in ${tree}`, () => {
  test("entry ends at a SIGTERM that comes as early as there is a handler at all", async () => {
    using container = new Container();
    container.file("usr/local/sbin/restic", "#!/bin/sh\nsleep 60\n", 0o755);
    container.start({ command: ["/entry.sh"] });
    const handlesTerm = () => {
      const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(
        readFileSync(`/proc/${container.init}/status`, "latin1"),
      )?.[1];
      return ((BigInt(`0x${caught}`) >> 14n) & 1n) === 1n;
    };
    await container.one(/^\/entry\.sh/);
    await waitFor(handlesTerm, "a handler");
    container.kill("SIGTERM");
    const { code, ms } = await container.ended();
    expect([0, 143]).toContain(code);
    expect(ms).toBeLessThan(3000);
  });

  test("a command that handles no signal itself is ended by one, as it would be elsewhere", async () => {
    using container = new Container();
    container.file("var/log/cron.log", "a line\n");
    container.file("usr/local/sbin/tar", "#!/bin/sh\ntouch /here; exec sleep 60\n", 0o755);
    container.start({ command: ["/bin/rotate_log"], env: { CRON_LOG_MAX_SIZE: "1" } });
    await waitFor(() => container.has("here"), "tar");
    container.kill("SIGTERM");
    expect(await container.ended()).toMatchObject({ code: 143 });
  });
});

container(`/dev/termination-log in ${tree}`, () => {
  test("holds one line of the last run: its result, or why there was none", async () => {
    using container = new Container();
    container.file(
      "dev/termination-log",
      "the line before, which was longer than the one that takes its place\n".repeat(3),
    );
    const run = (env: Record<string, string>) =>
      container.run({ env, command: ["/sbin/tini", "--", "/bin/backup"] });
    expect(await run({})).toBe(0);
    expect(container.read("dev/termination-log")).toMatch(/^backup finished: ok, exit 0, \d+s\n$/);
    expect(await run({ RESTIC_PASSWORD: "not the password" })).toBe(12);
    expect(container.read("dev/termination-log")).toMatch(/^backup finished: failed, exit 12, \d+s\n$/);
    expect(await run({ RESTIC_TAG: "" })).toBe(2);
    expect(container.read("dev/termination-log")).toMatch(
      /^backup finished: failed, exit 2, \d+s: RESTIC_TAG is empty\..*\n$/,
    );
    container.file("none", "");
    expect(await run({ LOCK_DIR: "/none" })).toBe(1);
    expect(container.read("dev/termination-log")).toStartWith(
      "backup: The lock /none/backup.lock cannot be taken",
    );
  });
});

container(`folders in ${tree}`, () => {
  test("LOCK_DIR that cannot be written ends the start", async () => {
    using container = new Container();
    container.start({ options: ["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/var/log"] });
    expect(await container.ended()).toMatchObject({ code: 1 });
    expect(container.output).toContain("LOCK_DIR=/var/run cannot be written: the file system is read-only.");
  });

  test("CRONTAB_DIR that cannot be written ends the start", async () => {
    using container = new Container();
    container.start({
      options: ["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/var/log", "--tmpfs", "/var/run"],
    });
    expect(await container.ended()).toMatchObject({ code: 1 });
    expect(container.output).toContain(
      "The crontab /var/spool/cron/crontabs/root cannot be written: the file system is read-only.",
    );
  });
});
