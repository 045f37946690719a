// doctor, the compiled binary, in worlds that are well and in worlds that are not.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hookPhases } from "../../lib/run/command.ts";
import { quoteWord } from "../../lib/words.ts";
import { table } from "../../lib/workers/index.ts";
import { needing } from "../support/needing.ts";
import { restics } from "../support/restics.ts";
import { stopInPostHook } from "../support/stopped.ts";
import { type RunOptions, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const phases = hookPhases(table);
const isRoot = process.getuid?.() === 0;

interface Check {
  readonly section: string;
  readonly status: string;
  readonly message: string;
}

const answering = '[ "$1" = version ] && echo "restic 9.9.9 (fake)"; exit 0';

/** A world with the link, and with programs that answer at once. */
function newWorld(): World {
  const world = new World();
  world.link("doctor");
  world.restic(answering);
  world.program("rclone", "echo 'rclone v8.8.8'");
  return world;
}

/** With a policy, and a crontab with all that a repository needs. */
const cared = (world: World) => {
  const lines = ["backup", "check", "restore-test"].map(
    (job, at) => `0 ${at} * * * /bin/locked_run ${job} /bin/${job}\n`,
  );
  world.file("crontabs/root", lines.join(""));
  return { RESTIC_FORGET_ARGS: "--keep-daily 7", CRONTAB_DIR: join(world.dir, "crontabs") };
};

async function json(world: World, args: readonly string[] = [], options: RunOptions = {}) {
  const { code, stdout, stderr } = await world.run("doctor", [...args, "--json"], options);
  expect(stderr).toBe("");
  const report = JSON.parse(stdout);
  expect(report.exit_code).toBe(code);
  const checks = report.checks as Check[];
  const of = (section: string) =>
    checks
      .filter((check) => check.section === section)
      .map(({ status, message }) => `${status.toUpperCase()} ${message}`);
  return { code, report, checks, of };
}

/** Every file below a folder with what a change of it would change; reading may change the time of access only. */
function parseMetrics(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "buffer" as never })
    .map((name) => join(folder, String(name)))
    .concat(folder)
    .sort()
    .map((path) => {
      const { ino, mode, size, mtimeMs, ctimeMs } = lstatSync(path);
      return [path, ino, mode, size, mtimeMs, ctimeMs].join(" ");
    });
}

describe("doctor --hooks", () => {
  test("prints what the seed shows", async () => {
    using world = newWorld();
    world.hook("pre-backup", "exit 1");
    world.hook("post-backup", "exit 1");
    const others = phases
      .filter((phase) => !phase.endsWith("-backup"))
      .map((phase) => `hooks/${phase}.sh: not found\n`);
    expect(await world.run("doctor", ["--hooks"], { env: { HOOK_TIMEOUT: "300" } })).toEqual({
      code: 0,
      stdout:
        "== Hooks ==\nHOOK_TIMEOUT: 300\nhooks/pre-backup.sh: executable\nhooks/post-backup.sh: executable\n" +
        `${others.join("")}[OK]   Every hook that is there can run (2).\n`,
      stderr: "",
    });
  });

  test("without hooks: every phase of every run, none found", async () => {
    using world = newWorld();
    expect(await world.run("doctor", ["--hooks"])).toEqual({
      code: 0,
      stdout: `== Hooks ==\nHOOK_TIMEOUT: 0\n${phases.map((phase) => `hooks/${phase}.sh: not found\n`).join("")}[OK]   No hook is there.\n`,
      stderr: "",
    });
    const { report } = await json(world, ["--hooks"]);
    expect(report.hooks).toEqual({
      hook_timeout: 0,
      phase_timeouts: {},
      directory: world.hooks,
      directory_mounted: true,
      present: [],
      absent: phases,
      misnamed: [],
    });
  });

  const script = "#!/bin/sh\n";
  /** The states of hooks.md: a hook, what doctor prints after its name, what it says to do. */
  const states: readonly [
    name: string,
    make: (world: World, path: string) => unknown,
    state: string,
    remedy: string | undefined,
  ][] = [
    ["executable", (_, path) => writeFileSync(path, script, { mode: 0o755 }), "executable", undefined],
    ["program", (_, path) => writeFileSync(path, "\x7fELF\x02", { mode: 0o755 }), "executable", undefined],
    [
      "link",
      (world, path) => symlinkSync(world.file("..data/x", script, 0o755), path),
      "executable",
      undefined,
    ],
    [
      "plain",
      (_, path) => writeFileSync(path, "echo\n", { mode: 0o755 }),
      "executable (no #! line: /bin/sh)",
      undefined,
    ],
    [
      "empty",
      (_, path) => writeFileSync(path, "", { mode: 0o755 }),
      "executable (no #! line: /bin/sh)",
      undefined,
    ],
    [
      "mode",
      (_, path) => writeFileSync(path, script, { mode: 0o644 }),
      "not executable (mode 0644)",
      "chmod 0755",
    ],
    [
      "folder",
      (world, path) => world.folder(path.slice(world.dir.length + 1)),
      "a directory",
      "regular file",
    ],
    [
      "socket",
      (_, path) => void Bun.listen({ unix: path, socket: { data() {} } }).unref(),
      "a socket",
      "regular file",
    ],
    ["pipe", (_, path) => Bun.spawnSync(["mkfifo", path]), "a named pipe", "regular file"],
    ["device", (_, path) => symlinkSync("/dev/zero", path), "a device", "regular file"],
    [
      "dangling",
      (_, path) => symlinkSync("nowhere", path),
      "a dangling link",
      "Mount what the link points to",
    ],
    [
      "bash",
      (_, path) => writeFileSync(path, "#!/usr/bin/env nobash\n", { mode: 0o755 }),
      "/usr/bin/env nobash: not in this image",
      "Install it",
    ],
    [
      "perl",
      (_, path) => writeFileSync(path, "#!/no/perl -w\n", { mode: 0o755 }),
      "/no/perl: not in this image",
      "Install it",
    ],
    [
      "crlf",
      (_, path) => writeFileSync(path, "#!/bin/sh\r\nexit\r\n", { mode: 0o755 }),
      "CRLF line endings",
      "sed -i",
    ],
    [
      "bom",
      (_, path) => writeFileSync(path, "\ufeff#!/bin/sh\n", { mode: 0o755 }),
      "begins with a byte order mark",
      "Save it",
    ],
  ];

  test("every state of a hook, in words and in JSON", async () => {
    using world = newWorld();
    world.folder("hooks/pre-backup.d");
    for (const [name, make] of states) make(world, join(world.hooks, "pre-backup.d", `${name}.sh`));
    const { code, stdout, stderr } = await world.run("doctor", ["--hooks"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    const { report, of } = await json(world, ["--hooks"]);
    for (const [name, , state, remedy] of states) {
      const shown = `hooks/pre-backup.d/${name}.sh`;
      expect(stdout).toContain(`\n${shown}: ${state}\n`);
      const hook = report.hooks.present.find((each: { path: string }) => each.path.endsWith(`/${name}.sh`));
      expect(hook).toMatchObject({
        phase: "pre-backup",
        state,
        executable: remedy === undefined,
        timeout: 0,
      });
      expect(hook.remedy ?? "").toContain(remedy ?? "");
      const told = of("Hooks").filter((line) => line.includes(`${shown}: `));
      expect(told.map((line) => line.split(". ")[0])).toEqual(
        remedy === undefined ? [] : [`FAIL ${shown}: ${state}`],
      );
    }
    expect(stdout).toContain("\nhooks/pre-backup.sh: not found\nhooks/pre-backup.d/bash.sh: ");
    expect(report).toMatchObject({ errors: states.filter(([, , , remedy]) => remedy).length, warnings: 0 });
    expect(report.hooks.absent).not.toContain("pre-backup");
  });

  test.skipIf(!isRoot)("another user: unreadable, not searchable, refused", async () => {
    using world = newWorld();
    chmodSync(world.dir, 0o755);
    world.hook("pre-backup", "", 0o711);
    world.hook("post-backup", "", 0o744);
    const nobody = [
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      world.link("doctor"),
      "--hooks",
    ];
    const { code, stdout, stderr } = await world.exec(nobody);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toContain("\nhooks/pre-backup.sh: unreadable (mode 0711)\n");
    expect(stdout).toContain("\nhooks/post-backup.sh: not executable (mode 0744, but refused)\n");
    chmodSync(world.hooks, 0o700);
    const closed = await world.exec(nobody);
    expect(closed.stdout).toContain("\nhooks/pre-backup.sh: cannot be examined (permission denied)\n");
    expect(closed.stdout).toContain(`[FAIL] HOOKS_DIR=${world.hooks} cannot be read: permission denied.`);
    expect(closed.stdout.match(/FAIL/g)).toHaveLength(1);
    chmodSync(world.hooks, 0o744);
    const listed = await world.exec(nobody);
    expect(listed.stdout).toContain(`[FAIL] HOOKS_DIR=${world.hooks} cannot be read: permission denied.`);
    expect(listed.stdout.match(/FAIL/g)).toHaveLength(1);
  });

  test.skipIf(!isRoot)("writable by others, or a stranger's: a warning, and it runs", async () => {
    using world = newWorld();
    world.hook("pre-backup", "", 0o775);
    chownSync(world.hook("post-backup", ""), 4711, 4711);
    world.hook("pre-backup.d/fine", "");
    chmodSync(world.folder("hooks/pre-backup.d"), 0o777);
    chmodSync(world.hooks, 0o757);
    const { code, report, of } = await json(world, ["--hooks"]);
    expect(code).toBe(1);
    const said = of("Hooks").map((line) => line.split(". ")[0]);
    expect(said).toEqual([
      `WARN HOOKS_DIR=${world.hooks}: others than its owner can write it (mode 0757)`,
      "WARN hooks/pre-backup.sh: others than its owner can write it (mode 0775)",
      "WARN hooks/post-backup.sh: it belongs to user 4711, neither root nor the running user",
      "WARN hooks/pre-backup.d: others than its owner can write it (mode 0777)",
    ]);
    expect(
      report.hooks.present.map((hook: { executable: boolean; caution?: string }) => [
        hook.executable,
        hook.caution,
      ]),
    ).toEqual([
      [true, "others than its owner can write it (mode 0775)"],
      [true, undefined],
      [true, "it belongs to user 4711, neither root nor the running user"],
    ]);
    const run = await world.run("backup");
    expect(run.code).toBe(0);
    expect(run.stdout).toContain(
      `WARN   backup  HOOKS_DIR=${world.hooks}: others than its owner can write it (mode 0757). Its hooks run all the same.`.replace(
        "WARN   ",
        "WARN  ",
      ),
    );
    expect(run.stdout).toContain("hook pre-backup done");
  });

  test("HOOKS_DIR that is not there is no problem; one that is no folder is", async () => {
    using world = newWorld();
    const absent = await json(world, ["--hooks"], { env: { HOOKS_DIR: "/no/hooks" } });
    expect(absent.code).toBe(0);
    expect(absent.of("Hooks")).toEqual([
      "INFO HOOKS_DIR=/no/hooks does not exist: no hook runs. Mount it to use hooks.",
    ]);
    expect(absent.report.hooks).toMatchObject({ directory_mounted: false, directory: "/no/hooks" });
    const path = world.file("a-file", "");
    const file = await json(world, ["--hooks"], { env: { HOOKS_DIR: path } });
    expect(file.code).toBe(1);
    expect(file.of("Hooks")).toEqual([`FAIL HOOKS_DIR=${path} is not a directory. No hook runs.`]);
  });

  test("names that look like hooks and are none, with the nearest real one", async () => {
    using world = newWorld();
    for (const name of [
      "pre-backups.sh",
      "pre-backup",
      "backup-pre.sh",
      "pre-backup.sh.bak",
      "pre-\x1b[31mx.sh",
    ]) {
      world.file(`hooks/${name}`, script, 0o755);
    }
    for (const name of ["README.md", "common.sh", ".hidden.sh", "lib/pre-backup.sh"])
      world.file(`hooks/${name}`, script);
    world.file("hooks/pre-backup.d/10-first", script, 0o755);
    world.file("hooks/pre-backup.d/README", "");
    world.file("hooks/post-backup.d", "");
    const { code, report, of } = await json(world, ["--hooks"]);
    expect(code).toBe(1);
    const lines = of("Hooks").toSorted();
    expect(lines).toEqual([
      "FAIL hooks/post-backup.d: cannot be read (a part of the path is not a directory). It does not run. Make it a folder that the running user can read.",
      "WARN hooks/backup-pre.sh is not a hook and never runs; did you mean pre-backup.sh?",
      "WARN hooks/pre-\u001b[31mx.sh is not a hook and never runs. Hooks are named pre-<worker>.sh or post-<worker>.sh.",
      "WARN hooks/pre-backup is not a hook and never runs; did you mean pre-backup.sh?",
      "WARN hooks/pre-backup.d/10-first does not end in .sh: it never runs.",
      "WARN hooks/pre-backup.sh.bak is not a hook and never runs; did you mean pre-backup.sh?",
      "WARN hooks/pre-backups.sh is not a hook and never runs; did you mean pre-backup.sh?",
    ]);
    expect(report.hooks.misnamed).toContainEqual({ name: "pre-backups.sh", nearest: "pre-backup.sh" });
    const { stdout } = await world.run("doctor", ["--hooks"]);
    expect(stdout).toContain("[WARN] hooks/pre-\\x1b[31mx.sh is not a hook");
    expect(stdout).not.toContain("\x1b");
  });

  test("time-outs: the one for all, one for a phase, odd values, misspelt names", async () => {
    using world = newWorld();
    world.hook("post-backup", "");
    const env = {
      HOOK_TIMEOUT: "300",
      HOOK_TIMEOUT_POST_BACKUP: "60",
      HOOK_TIMEOUT_PRE_BACKUP: "5 m",
      HOOK_TIMEOUTS: "1",
      HOOK_TIMEOUT_SOMETIMES: "1",
      HOOK_KILL_AFTER: "-1",
    };
    const { code, stdout } = await world.run("doctor", ["--hooks"], { env });
    expect(code).toBe(1);
    expect(stdout).toStartWith(
      "== Hooks ==\nHOOK_TIMEOUT: 300\nHOOK_TIMEOUT_PRE_BACKUP: 0\nHOOK_TIMEOUT_POST_BACKUP: 60\nhooks/",
    );
    expect(stdout).toContain(
      "[WARN] HOOK_TIMEOUT_PRE_BACKUP='5 m' is not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.\n",
    );
    expect(stdout).toContain(
      "[WARN] HOOK_TIMEOUTS is not known and has no effect; did you mean HOOK_TIMEOUT?\n",
    );
    expect(stdout).toContain("[WARN] HOOK_TIMEOUT_SOMETIMES names no phase and has no effect.\n");
    expect(stdout).toContain(
      "[WARN] HOOK_KILL_AFTER=-1 is not a duration such as 90, 90s, 15m or 6h; 10 is used.\n",
    );
    expect((await json(world, ["--hooks"], { env })).report.hooks).toMatchObject({
      hook_timeout: 300,
      phase_timeouts: { "pre-backup": 0, "post-backup": 60 },
      present: [{ timeout: 60 }],
    });
    for (const odd of ["abc", "-5", "1.5", "1e3", " "]) {
      const { code, stdout } = await world.run("doctor", ["--hooks"], { env: { HOOK_TIMEOUT: odd } });
      expect(code).toBe(1);
      expect(stdout).toContain("\nHOOK_TIMEOUT: 0\n");
      expect(stdout).toContain(
        `[WARN] HOOK_TIMEOUT=${quoteWord(odd)} is not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.\n`,
      );
    }
  });

  test("runs none of them", async () => {
    using world = newWorld();
    world.hook("pre-backup", `touch ${world.dir}/ran`);
    await world.run("doctor", ["--hooks"]);
    await world.run("doctor");
    expect(world.has("ran")).toBe(false);
  });
});

describe("the repository probe", () => {
  const outcomes: readonly [
    status: string,
    worst: string,
    env: (world: World) => Record<string, string | undefined>,
    message: RegExp,
  ][] = [
    ["ok", "OK", () => ({}), /^OK \/.*\/repository can be opened, and nobody has locked it\.$/],
    [
      "missing",
      "FAIL",
      (world) => ({ RESTIC_REPOSITORY: `${world.dir}/none` }),
      /^FAIL There is no repository at .*\/none\. Create it with init-repo/,
    ],
    [
      "wrong_password",
      "FAIL",
      () => ({ RESTIC_PASSWORD: "not this one" }),
      /^FAIL The password does not open the repository/,
    ],
    [
      "unreachable",
      "FAIL",
      () => ({ RESTIC_REPOSITORY: "nonsense:x" }),
      /^FAIL nonsense:x cannot be opened \(exit 1\)\. restic said: /,
    ],
    [
      "not_configured",
      "INFO",
      () => ({ RESTIC_PASSWORD: undefined }),
      /^INFO Not probed: The repository's password is missing\./,
    ],
  ];

  test.each(restics.map(({ version, path }) => [version, path]))(
    "restic %s: each outcome has its name, and nothing is changed",
    async (_, path) => {
      using world = newWorld();
      world.useRestic(path);
      // The real rclone, which would create a folder for its configuration.
      unlinkSync(join(world.bin, "rclone"));
      expect((await world.exec(["restic", "init"])).code).toBe(0);
      const before = parseMetrics(world.dir);
      for (const [status, worst, env, message] of outcomes) {
        const { of, report } = await json(world, [], { env: env(world) });
        expect(of("Repository probe")).toEqual([expect.stringMatching(message)]);
        expect(of("Repository probe")[0]).toStartWith(worst);
        const exit = { ok: 0, missing: 10, wrong_password: 12, unreachable: 1, not_configured: null }[status];
        expect(report.repository_probe).toEqual({
          status: { ok: "ok", not_configured: "skipped" }[status] ?? "fail",
          result: status,
          repository:
            status === "not_configured" ? null : (env(world).RESTIC_REPOSITORY ?? `${world.dir}/repository`),
          restic_exit_code: exit ?? null,
        });
      }
      expect(parseMetrics(world.dir)).toEqual(before);
    },
  );

  test.each(restics.map(({ version, path }) => [version, path]))(
    "restic %s: locks, shared and exclusive",
    async (_, path) => {
      using world = newWorld();
      world.useRestic(path);
      await world.exec(["restic", "init"]);
      const locks = () => readdirSync(join(world.dir, "repository/locks")).length;
      // A backup of a standard input that never ends holds a shared lock.
      const backup = Bun.spawn(["restic", "backup", "--stdin"], {
        env: world.env,
        stdin: "pipe",
        stdout: "ignore",
        stderr: "ignore",
      });
      await waitFor(() => locks() === 1, "its lock");
      const shared = await json(world);
      expect(shared.report.repository_probe).toMatchObject({ status: "ok", restic_exit_code: 0 });
      expect(shared.of("Repository probe")).toEqual([
        expect.stringMatching(/^OK .* can be opened\.$/),
        expect.stringMatching(
          new RegExp(
            `^INFO A shared lock of .+@.+, pid ${backup.pid}, refreshed .+ ago: restic is at work there, or has died\\.$`,
          ),
        ),
      ]);
      backup.stdin.write(crypto.getRandomValues(new Uint8Array(60_000)));
      backup.stdin.write(crypto.getRandomValues(new Uint8Array(60_000)));
      await backup.stdin.end();
      expect(await backup.exited).toBe(0);

      // A check that may read a kilobyte a second holds an exclusive one long enough.
      const check = Bun.spawn(["restic", "check", "--read-data", "--limit-download", "1"], {
        env: world.env,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      });
      await waitFor(() => locks() === 1, "its lock", 40_000);
      const exclusive = await json(world);
      expect(exclusive.report.repository_probe).toMatchObject({
        status: "ok",
        result: "locked",
        restic_exit_code: 0,
      });
      expect(exclusive.of("Repository probe")[1]).toMatch(
        new RegExp(
          `^WARN An exclusive lock of .+, pid ${check.pid}, .*: no other restic can work until it is gone\\.$`,
        ),
      );
      check.kill("SIGKILL");
      await check.exited;
    },
    120_000,
  );

  test("a restic that says it is locked is believed", async () => {
    using world = newWorld();
    world.restic('[ "$1" = version ] && echo "restic 9.9.9"; exit 11');
    const { report, of } = await json(world);
    expect(report.repository_probe).toMatchObject({ status: "fail", result: "locked", restic_exit_code: 11 });
    expect(of("Repository probe")).toEqual([
      expect.stringMatching(/^WARN The repository .* is locked by another restic/),
    ]);
  });

  needing("busybox").test("no restic", async () => {
    using world = newWorld();
    unlinkSync(join(world.bin, "restic"));
    for (const tool of ["flock", "busybox"]) symlinkSync(Bun.which(tool) ?? "", join(world.bin, tool));
    const { code, report, of } = await json(world, [], { env: { PATH: world.bin } });
    expect(code).toBe(1);
    expect(report.repository_probe).toEqual({
      status: "fail",
      result: "restic_missing",
      repository: `${world.dir}/repository`,
      restic_exit_code: null,
    });
    expect(of("Repository probe")).toEqual([`INFO Not probed: restic was not found in PATH=${world.bin}.`]);
    expect(of("Runtime")).toContain(
      `FAIL restic was not found in PATH=${world.bin}. Every worker that touches the repository needs it.`,
    );
  });

  test("a repository file that is no file is not read", async () => {
    using world = newWorld();
    await world.exec(["mkfifo", "pipe"]);
    const { code, of, report } = await json(world, [], {
      env: { RESTIC_REPOSITORY_FILE: `${world.dir}/pipe` },
    });
    expect(code).toBe(1);
    expect(of("Configuration checks")).toContain(
      `FAIL RESTIC_REPOSITORY_FILE: RESTIC_REPOSITORY_FILE=${world.dir}/pipe cannot be read: it is not a regular file. Mount it, or unset it.`,
    );
    expect(report.repository_probe.result).toBe("not_configured");
  });
});

describe("configuration checks", () => {
  /** One fault each: what is set, and what is said of it. */
  const faults: readonly (readonly [name: string, env: Record<string, string | undefined>, said: string])[] =
    [
      [
        "no password",
        { RESTIC_PASSWORD: undefined },
        "FAIL RESTIC_PASSWORD: The repository's password is missing. Set one of ",
      ],
      [
        "an empty password",
        { RESTIC_PASSWORD: "" },
        "FAIL RESTIC_PASSWORD: The repository's password is missing.",
      ],
      [
        "two passwords",
        { RESTIC_PASSWORD_COMMAND: "echo x" },
        "WARN RESTIC_PASSWORD_COMMAND: is used; RESTIC_PASSWORD is set too",
      ],
      [
        "two that exclude each other",
        { RESTIC_PASSWORD_FILE: "/x", RESTIC_PASSWORD_COMMAND: "x" },
        "FAIL RESTIC_PASSWORD_FILE: RESTIC_PASSWORD_COMMAND is set too, and restic takes only one",
      ],
      [
        "a password file that is not there",
        { RESTIC_PASSWORD_FILE: "/no/such" },
        "FAIL RESTIC_PASSWORD_FILE: /no/such cannot be read: no such file or directory.",
      ],
      [
        "an empty tag",
        { RESTIC_TAG: "" },
        "FAIL RESTIC_TAG: is empty. Give it a tag, or unset it for the default, automated.",
      ],
      ["a blank tag", { RESTIC_TAG: "  " }, "FAIL RESTIC_TAG: is empty."],
      ["nothing to back up", { BACKUP_ROOT_DIR: "" }, "FAIL BACKUP_PATHS: There is nothing to back up."],
      [
        "a source that is not there",
        { BACKUP_ROOT_DIR: "/no/such" },
        "FAIL BACKUP_PATHS: /no/such cannot be read: no such file or directory.",
      ],
      [
        "an unbalanced quote",
        { RESTIC_JOB_ARGS: "--exclude 'x" },
        "FAIL RESTIC_JOB_ARGS: the ' at character 11 is never closed",
      ],
      [
        "one elsewhere",
        { RESTIC_PRUNE_ARGS: 'a"' },
        'FAIL RESTIC_PRUNE_ARGS: the " at character 2 is never closed',
      ],
      [
        "a list that is not there",
        { RESTIC_JOB_ARGS: "--files-from /no/such" },
        "FAIL RESTIC_JOB_ARGS: --files-from /no/such cannot be read: no such file or directory.",
      ],
      [
        "excludes that are not there",
        { RESTIC_JOB_ARGS: "--exclude-file=/no/such" },
        "FAIL RESTIC_JOB_ARGS: --exclude-file /no/such cannot be read",
      ],
      [
        "a list that is a folder",
        { RESTIC_JOB_ARGS: "--files-from /tmp" },
        "FAIL RESTIC_JOB_ARGS: --files-from /tmp is a folder",
      ],
      [
        "CA certificates that are not there",
        { RESTIC_CACERT: "/no/such" },
        "WARN RESTIC_CACERT: /no/such cannot be read",
      ],
      [
        "no policy",
        { FORGET_CRON: "0 1 * * *" },
        "FAIL RESTIC_FORGET_ARGS: FORGET_CRON is set, but there is no policy",
      ],
      [
        "a cron expression",
        { BACKUP_CRON: "0 25 * * *" },
        'FAIL BACKUP_CRON: hour "25" is outside of 0 to 23.',
      ],
      ["one with a line break", { CHECK_CRON: "0 1 * * *\n* * * * * rm" }, "FAIL CHECK_CRON: expression"],
      ["one that never comes", { PRUNE_CRON: "0 0 30 2 *" }, "WARN PRUNE_CRON: 0 0 30 2 * never comes"],
      [
        "a switch",
        { RESTIC_AUTO_UNLOCK: "yes" },
        "WARN RESTIC_AUTO_UNLOCK: yes is none of OFF, ON, STALE; OFF is used.",
      ],
      ["a number", { HISTORY_MAX_RUNS: "1e3" }, "FAIL HISTORY_MAX_RUNS: 1e3 is not a whole number."],
      [
        "a duration",
        { BACKUP_TIMEOUT: "six hours" },
        "FAIL BACKUP_TIMEOUT: six hours is not a duration such as 6h.",
      ],
      [
        "a misspelt name",
        { RESTIC_FORGET_ARG: "x" },
        "WARN RESTIC_FORGET_ARG: is not known and has no effect; did you mean RESTIC_FORGET_ARGS?",
      ],
      [
        "a former name",
        { SYNC_CRON: "@daily" },
        "WARN SYNC_CRON: is the old name of REPLICATE_CRON. Rename it.",
      ],
      [
        "a folder for logs",
        { LOG_DIR: "/no/such" },
        "FAIL LOG_DIR: /no/such cannot be written: no such file or directory.",
      ],
      ["a folder for locks", { LOCK_DIR: "/no/such" }, "FAIL LOCK_DIR: /no/such cannot be written: "],
      [
        "a folder for metrics",
        { METRICS_DIR: "/etc/passwd" },
        "WARN METRICS_DIR: /etc/passwd cannot be written: ",
      ],
      ["a temporary folder", { TMPDIR: "/no/such" }, "WARN TMPDIR: /no/such cannot be written"],
      [
        "both of two",
        { WEBHOOK_URL: "https://h/", WEBHOOK_URL_FILE: "/no/such" },
        "FAIL WEBHOOK_URL: WEBHOOK_URL and WEBHOOK_URL_FILE are both set.",
      ],
      [
        "a file for a value",
        { MAILX_RCPT_FILE: "/no/such" },
        "FAIL MAILX_RCPT_FILE: MAILX_RCPT_FILE=/no/such cannot be read",
      ],
      [
        "mail that cannot be sent",
        { MAILX_RCPT: "me@example.org", PATH: "/usr/bin" },
        "WARN MAILX_RCPT: no mail can be sent: sendmail was not found in PATH=/usr/bin.",
      ],
      ["a time zone", { TZ: "Europe/Amsterdm" }, "WARN Time "],
      [
        "rows to replicate that are not there",
        { REPLICATE_CRON: "0 1 * * *" },
        "FAIL REPLICATE_JOB_FILE: /config/replicate_jobs.txt cannot be read",
      ],
      [
        "remotes that are not there",
        { RESTIC_REPOSITORY: "rclone:r:x" },
        "FAIL RCLONE_CONFIG: /config/rclone.conf cannot be read: no such file or directory; the repository needs it.",
      ],
    ];

  test.each(faults)("%s", async (_, env, said) => {
    using world = newWorld();
    const before = parseMetrics(world.dir);
    const { code, checks } = await json(world, [], { env });
    const lines = checks.map(({ status, message }) => `${status.toUpperCase()} ${message}`);
    expect(lines.filter((line) => line.startsWith(said))).toHaveLength(1);
    expect(code).toBe(checks.some(({ status }) => status === "fail") ? 1 : 0);
    if (said.startsWith("FAIL")) expect(code).toBe(1);
    expect(parseMetrics(world.dir)).toEqual(before);
  });

  test("a world that is well has nothing to say against it", async () => {
    using world = newWorld();
    const { code, report, checks } = await json(world, [], { env: cared(world) });
    expect(checks.filter(({ status }) => status === "warn" || status === "fail")).toEqual([]);
    expect({ code, warnings: report.warnings, errors: report.errors }).toEqual({
      code: 0,
      warnings: 0,
      errors: 0,
    });
  });

  test("an empty source looks like a volume that was not mounted", async () => {
    using world = newWorld();
    unlinkSync(join(world.source, "file.txt"));
    const { code, of } = await json(world);
    expect(code).toBe(0);
    expect(of("Configuration checks")).toContain(
      `WARN BACKUP_PATHS: ${world.source} is empty. Is its volume mounted?`,
    );
  });

  const fuse =
    existsSync("/dev/fuse") && Bun.which("rclone") !== null && Bun.which("fusermount3") !== null && isRoot;
  test.skipIf(!fuse)("a source on a network that has died is named, and not waited for", async () => {
    using world = newWorld();
    const mount = world.folder("mount");
    const server = Bun.spawn(
      [
        Bun.which("rclone") ?? "",
        "mount",
        world.source,
        mount,
        "--attr-timeout",
        "0s",
        "--dir-cache-time",
        "0s",
      ],
      {
        env: { ...world.env, PATH: process.env.PATH },
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    try {
      await waitFor(() => readdirSync(mount).length === 1, "the mount");
      server.kill("SIGSTOP");
      const { code, of } = await json(world, [], { env: { BACKUP_ROOT_DIR: `${mount}/gone` } });
      expect(code).toBe(1);
      expect(of("Configuration checks")).toContain(
        `FAIL BACKUP_PATHS: ${mount}/gone cannot be read: it did not answer within 3 s (a dead network mount?). Mount it, or correct BACKUP_ROOT_DIR.`,
      );
      const hooks = await json(world, ["--hooks"], { env: { HOOKS_DIR: `${mount}/hooks` } });
      expect(hooks.of("Hooks")).toEqual([
        `FAIL ${mount}/hooks cannot be read: it did not answer within 3 s (a dead network mount?).`,
      ]);
    } finally {
      server.kill("SIGCONT");
      server.kill("SIGTERM");
      await server.exited;
    }
  });
});

describe("the whole report", () => {
  needing("busybox").test("has its sections in order, and closes with a summary", async () => {
    using world = newWorld();
    const { code, stdout, stderr } = await world.run("doctor", [], {
      env: cared(world),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect([...(stdout.match(/^== .* ==$/gm) ?? [])]).toEqual(
      [
        "Runtime",
        "Effective environment",
        "Configuration checks",
        "Repository probe",
        "Replicate",
        "Hooks",
        "Recent runs",
        "Recent cron log",
        "Summary",
      ].map((name) => `== ${name} ==`),
    );
    expect(stdout).toContain("[OK]   restic 9.9.9 at ");
    expect(stdout).toContain("[OK]   rclone 8.8.8 at ");
    expect(stdout).toMatch(/^\[OK\] {3}busybox \S+ at /m);
    expect(stdout).toMatch(/^\[OK\] {3}flock util-linux \S+ at /m);
    expect(stdout).toMatch(/== Summary ==\n\[OK\] {3}\d+ checks: no failures, no warnings\.\n$/);
    expect(stdout).not.toMatch(/[^\n -~]|[ \t]$/m);
  });

  test("JSON has exactly the keys of its schema", async () => {
    using world = newWorld();
    const { report } = await json(world);
    expect(Object.keys(report)).toEqual(
      "schema command release hostname generated_at generated_epoch warnings errors exit_code runtime environment repository_probe replicate hooks recent_json checks".split(
        " ",
      ),
    );
    expect(report.schema).toBe("restic-backup-helper.doctor/1");
    expect(report.hostname).toBe("testhost");
    expect(Date.parse(report.generated_at)).toBe(report.generated_epoch * 1000);
    expect(Object.keys(report.repository_probe)).toEqual([
      "status",
      "result",
      "repository",
      "restic_exit_code",
    ]);
    expect(Object.keys(report.replicate)).toEqual(["effective", "jobs_count", "malformed_count"]);
    expect(report.replicate.effective).toMatchObject({
      REPLICATE_JOB_FILE: "/config/replicate_jobs.txt",
      REPLICATE_CRON: null,
    });
    expect(report.recent_json).toEqual(
      table
        .filter(({ kind }) => kind === "run")
        .map(({ name }) => ({ path: `${world.log}/last-${name}.json`, present: false, size_bytes: 0 })),
    );
    expect(report.runtime.programs.restic).toEqual({ path: `${world.bin}/restic`, version: "9.9.9" });
    expect(report.environment).toMatchObject({
      RESTIC_PASSWORD: "***",
      HOOKS_DIR: world.hooks,
      CHECK_CRON: null,
    });
    for (const check of report.checks) expect(Object.keys(check)).toEqual(["section", "status", "message"]);
  });

  test("no secret is in it, of whatever kind", async () => {
    using world = newWorld();
    const secrets = {
      RESTIC_PASSWORD: "secret-of-restic",
      RESTIC_REPOSITORY: "rest:https://user:secret/of-url@host.example.org/x",
      AWS_SECRET_ACCESS_KEY: "secret-of-aws",
      B2_ACCOUNT_KEY: "short",
      WEBHOOK_URL: "https://hooks.example.org/services/secret-of-path",
      WEBHOOK_HEADER_AUTH: "Bearer secret-of-header",
      HEALTHCHECKS_URL: "https://hc.example.org/secret-of-ping",
      RCLONE_CONFIG_PASS: "secret-of-rclone",
      RESTIC_JOB_ARGS: "--option s3.key=secret-of-aws",
    };
    world.restic('echo "Fatal: $RESTIC_PASSWORD of $RESTIC_REPOSITORY" >&2; exit 1');
    world.file("log/cron.log", "the key is secret-of-aws\n");
    for (const args of [[], ["--json"], ["--hooks"]]) {
      const { stdout, stderr } = await world.run("doctor", args, { env: secrets });
      expect(stdout + stderr).not.toMatch(/secret-of|of-url|short/);
      if (args.length === 0) {
        expect(stdout).toContain("restic said: Fatal: *** of rest:https://user:***@host.example.org/x");
        expect(stdout).toContain("the key is ***");
      }
    }
  });

  test("a signal ends it at once, and all that it has started", async () => {
    using world = newWorld();
    world.restic(
      `[ "$1" = version ] && exit 0; trap "" INT TERM; echo $$ >>${world.dir}/started; sleep 1000; :`,
    );
    const child = world.start("doctor");
    await waitFor(() => world.has("started"), "the probe");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    await waitFor(() => world.processes().length === 0, "the end of what it started");
  });
});

describe("replicate", () => {
  test("rows are counted as replicate reads them, malformed ones named, credentials masked", async () => {
    using world = newWorld();
    const rows =
      "# comment\\r\\n/a;/b\\n\\n/c;r:d;copy;--sftp-pass geheimnis\\n:s3,secret_access_key=geheimnis:b\\n/e;/f;mirror\\n";
    const path = world.file("jobs.txt", rows.replaceAll("\\r", "\r").replaceAll("\\n", "\n"));
    const env = { REPLICATE_JOB_FILE: path, REPLICATE_JOB_ARGS: "--ftp-pass geheimnis" };
    const { code, report, of } = await json(world, [], { env });
    expect(report.replicate).toMatchObject({ jobs_count: 2, malformed_count: 2 });
    expect(report.replicate.effective).toMatchObject({
      REPLICATE_JOB_FILE: path,
      REPLICATE_JOB_ARGS: "--ftp-pass ***",
    });
    expect(JSON.stringify(report)).not.toContain("geheimnis");
    const [config, first, second, last] = of("Replicate");
    expect(config).toBe("OK RCLONE_CONFIG: /config/rclone.conf is not there, and nothing needs it");
    expect(first).toMatch(/^WARN REPLICATE_JOB_FILE: line 5 is malformed and counts as failed: /);
    expect(second).toMatch(
      /^WARN REPLICATE_JOB_FILE: line 6 is malformed and counts as failed: unknown mode "mirror"/,
    );
    expect(last).toBe(`OK REPLICATE_JOB_FILE: ${path}, 2 rows to work through.`);
    expect(code).toBe(0);
    const scheduled = await json(world, [], {
      env: { ...env, REPLICATE_CRON: "@daily", RCLONE_CONFIG: path },
    });
    expect(scheduled.code).toBe(1);
    expect(scheduled.of("Replicate").map((line) => line.slice(0, 4))).toEqual([
      "OK R",
      "FAIL",
      "FAIL",
      "OK R",
    ]);
  });

  test("a job file of malformed rows only: nothing to work through, and no OK beside the FAIL", async () => {
    using world = newWorld();
    const env = {
      REPLICATE_CRON: "@daily",
      REPLICATE_JOB_FILE: world.file("jobs", "/a;/b;bisnyc\n"),
      RCLONE_CONFIG: world.file("rclone.conf", ""),
    };
    const { code, report, of } = await json(world, [], { env });
    expect(code).toBe(1);
    expect(of("Replicate").slice(1)).toEqual([
      'FAIL REPLICATE_JOB_FILE: line 1 is malformed and counts as failed: unknown mode "bisnyc" (bisync, sync, copy); ' +
        "did you mean bisync? (/a;/b;bisnyc).",
    ]);
    expect(report.replicate).toMatchObject({ jobs_count: 0, malformed_count: 1 });
  });

  /** A PATH on which there is no rclone. */
  function withoutRclone(world: World): string {
    unlinkSync(join(world.bin, "rclone"));
    symlinkSync(Bun.which("flock") ?? "", join(world.bin, "flock"));
    return world.bin;
  }

  test.each([
    ["the repository", { RESTIC_REPOSITORY: "rclone:r:x" }],
    ["the repository", { RESTIC_REPOSITORY: undefined, RESTIC_REPOSITORY_FILE: "named" }],
    ["replicate", { REPLICATE_CRON: "@daily" }],
    ["replicate", { CRONTAB_DIR: "crontabs" }],
  ])("rclone is needed by %s: %j", async (user, env) => {
    using world = newWorld();
    world.file("named", "rclone:r:x\n");
    world.file("crontabs/root", "@daily /bin/locked_run replicate /bin/replicate\n");
    const { code, checks } = await json(world, [], { env: { ...env, PATH: withoutRclone(world) } });
    expect(code).toBe(1);
    const about = checks.filter(({ message }) => /^(RCLONE_CONFIG:|rclone )/.test(message));
    expect(about.map(({ status, message }) => [status, message])).toEqual([
      [
        "fail",
        expect.stringMatching(new RegExp(`^rclone was not found in PATH=.* It is needed by ${user}\\.$`)),
      ],
      ["fail", expect.stringContaining(`; ${user} needs it.`)],
    ]);
    expect(JSON.stringify(checks)).not.toContain("Only replicate");
  });

  test("rclone is missing, and nothing needs it", async () => {
    using world = newWorld();
    const { code, of } = await json(world, [], { env: { PATH: withoutRclone(world) } });
    expect(code).toBe(0);
    expect(of("Runtime")).toContainEqual(
      expect.stringMatching(/^INFO rclone was not found in PATH=.* Nothing here needs it\.$/),
    );
  });

  test("a job file that is empty, too large or no file", async () => {
    using world = newWorld();
    const said = async (path: string) =>
      (await json(world, [], { env: { REPLICATE_JOB_FILE: path } })).of("Replicate")[1];
    const empty = world.file("empty", "# nothing\n");
    expect(await said(empty)).toBe(
      `WARN REPLICATE_JOB_FILE: ${empty} has no row. Write SOURCE;DESTINATION, a pair a line.`,
    );
    expect(await said("/etc")).toStartWith(
      "INFO REPLICATE_JOB_FILE: /etc cannot be read: it is not a regular file;",
    );
    await world.exec(["mkfifo", "pipe"]);
    expect(await said(`${world.dir}/pipe`)).toContain("cannot be read: it is not a regular file;");
    expect(await said("/no/such")).toBe(
      "INFO REPLICATE_JOB_FILE: /no/such cannot be read: no such file or directory; REPLICATE_CRON is not set, so nothing needs it.",
    );
  });
});

describe("recent runs", () => {
  test("a record that is there, is broken, or is no file", async () => {
    using world = newWorld();
    expect((await json(world)).of("Recent runs")).toContain("INFO backup: no record yet.");

    await world.run("backup");
    const { of, report } = await json(world);
    expect(of("Recent runs")).toContainEqual(
      expect.stringMatching(
        /^OK backup: ok, exit 0, \d+s ago \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\), took 0s\.$/,
      ),
    );
    expect(report.recent_json[0]).toEqual({
      path: `${world.log}/last-backup.json`,
      present: true,
      size_bytes: lstatSync(`${world.log}/last-backup.json`).size,
    });

    world.restic("exit 12");
    expect((await world.run("backup")).code).toBe(12);
    const failed = await json(world);
    expect(failed.code).toBe(1);
    expect(failed.of("Recent runs")).toContainEqual(expect.stringMatching(/^FAIL backup: failed, exit 12, /));

    for (const broken of ["", "{", '{"exit_code": 0']) {
      world.file("log/last-backup.json", broken);
      expect((await json(world)).of("Recent runs")).toContainEqual(
        expect.stringMatching(/^WARN backup: .*last-backup\.json .* is not the record of a run\.$/),
      );
    }
    unlinkSync(`${world.log}/last-backup.json`);
    await world.exec(["mkfifo", `${world.log}/last-backup.json`]);
    expect((await json(world)).of("Recent runs")).toContain(
      `WARN backup: its record ${world.log}/last-backup.json cannot be read: it is not a regular file.`,
    );
  });

  test("a signal in the post-hooks, after work that had succeeded, is as good here as it is to status", async () => {
    using world = newWorld();
    expect(await stopInPostHook(world)).toBe(143);
    const { of } = await json(world);
    expect(of("Recent runs").filter((line) => /^(WARN|FAIL)/.test(line))).toEqual([]);
    expect(of("Recent runs")).toContainEqual(
      expect.stringMatching(/^OK backup: interrupted, exit 143 \(its work had succeeded\), \d+s ago /),
    );
    expect((await world.run("status")).stdout).toStartWith("OK ");
  });

  test("a failure of a job that only the crontab schedules is a FAIL to doctor and to status", async () => {
    using world = newWorld();
    world.restic("exit 1");
    expect((await world.run("check")).code).toBe(1);
    world.restic(answering);
    const env = { CRONTAB_DIR: world.folder("crontabs") };
    const seen = async () => {
      const { code, of } = await json(world, [], { env });
      const status = await world.run("status", ["--json"], { env });
      const finding = JSON.parse(status.stdout).findings.find(({ job }: { job: string }) => job === "check");
      return [
        code,
        of("Recent runs")
          .find((line) => line.includes("check: failed"))
          ?.slice(0, 4),
        finding.status,
      ];
    };
    expect(await seen()).toEqual([0, "WARN", "WARN"]);
    world.file("crontabs/root", "@daily /bin/locked_run check /bin/check\n");
    expect(await seen()).toEqual([1, "FAIL", "FAIL"]);
    // What the variable says is not what crond runs.
    world.file("crontabs/root", "@daily /bin/locked_run backup /bin/backup\n");
    Object.assign(env, { CHECK_CRON: "@daily" });
    expect(await seen()).toEqual([0, "WARN", "WARN"]);
  });

  test("what status finds suspicious, doctor reports too", async () => {
    using world = newWorld();
    await world.run("backup");
    const record = world.record();
    for (const field of ["started_epoch", "finished_epoch"]) record[field] -= 86_400 * 2;
    world.file("log/last-backup.json", JSON.stringify(record));
    const env = { BACKUP_CRON: "@hourly", CRONTAB_DIR: join(world.dir, "crontabs") };
    const missing = await json(world, [], { env });
    expect(missing.code).toBe(1);
    expect(missing.of("Recent runs")[0]).toStartWith(
      "FAIL No schedule runs here: backup is enabled, but there is no crontab ",
    );
    world.file("crontabs/root", "@hourly /bin/locked_run backup /bin/backup\n");
    const { code, of } = await json(world, [], { env });
    expect(code).toBe(0);
    expect(of("Recent runs")).toContainEqual(
      expect.stringMatching(/^WARN backup: its next run was expected at .+ ago\. Does crond run\?$/),
    );
  });

  test("a run in progress, its skips, its death, and what it left running", async () => {
    using world = newWorld();
    world.restic(`[ "$1" = backup ] || exit 0; touch ${world.dir}/begun; exec sleep 1000`);
    const run = world.start("backup");
    await waitFor(() => world.has("begun"), "restic");
    expect((await json(world)).of("Recent runs")).toContainEqual(
      expect.stringMatching(
        new RegExp(`^INFO backup: running for \\d+s, since .+, pid ${run.pid}, phase work\\.$`),
      ),
    );
    for (let skip = 1; skip <= 3; skip++) {
      expect((await world.run("locked_run", ["backup", "backup"])).code).toBe(0);
      expect((await json(world)).of("Recent runs")).toContain(
        `${skip < 3 ? "INFO" : "WARN"} backup: skipped ${skip} ${skip === 1 ? "time" : "times"} in a row, as a run still went on.`,
      );
    }
    run.kill("SIGKILL");
    await run.exited;
    const { of } = await json(world);
    expect(of("Recent runs")).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^WARN backup: run backup-\\S+ died without a record: pid ${run.pid}, started .+, last seen in phase work\\.`,
        ),
      ),
    );
    expect(of("Recent runs")).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^WARN backup: pid ${run.pid} has died, but what it started still runs and holds the lock ${world.lock}/backup\\.lock: sleep with pid \\d+\\.`,
        ),
      ),
    );
  });

  test("a lock that locked_run holds for another command, found through a link to LOCK_DIR as well", async () => {
    using world = newWorld();
    symlinkSync(world.lock, join(world.dir, "run"));
    const env = { LOCK_DIR: join(world.dir, "run") };
    const held = world.start(
      "locked_run",
      ["backup", "sh", "-c", `touch ${world.dir}/begun; exec sleep 1000`],
      { env },
    );
    await waitFor(() => world.has("begun"), "the command");
    expect((await json(world, [], { env })).of("Recent runs")).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^INFO backup: its lock ${world.dir}/run/backup\\.lock is held by pid ${held.pid} since .+\\.$`,
        ),
      ),
    );
    held.kill("SIGTERM");
    await held.exited;
    expect((await json(world, [], { env })).of("Recent runs")).toEqual(
      ["INFO backup: no record yet."].concat(
        table
          .filter(({ kind, name }) => kind === "run" && name !== "backup")
          .map(({ name }) => `INFO ${name}: no record yet.`),
      ),
    );
  });
});

describe("the recent cron log", () => {
  const section = (stdout: string) =>
    stdout.split("== Recent cron log ==\n")[1]?.split("\n\n== Summary")[0] ?? "";

  test("its last forty lines, harmless", async () => {
    using world = newWorld();
    const lines = Array.from({ length: 1000 }, (_, at) => `line ${at}`);
    world.file("log/cron.log", `${lines.join("\n")}\nbell \x07 \x1b[31mred\r\n${"x".repeat(5000)}\n`);
    const { stdout } = await world.run("doctor");
    const shown = section(stdout).split("\n");
    expect(shown.slice(0, 38)).toEqual(lines.slice(-38).map((line) => `  ${line}`));
    expect(shown[38]).toBe("  bell \\x07 \\x1b[31mred");
    expect(shown[39]).toBe(`  ${"x".repeat(1000)} ... 4000 characters more`);
    expect(shown[40]).toMatch(
      /^\[INFO\] .*\/cron\.log: .* KiB, written \d+s ago; its last 40 lines are shown\.$/,
    );
    expect(shown).toHaveLength(41);
  });

  test("of a log of many gigabytes, as fast as of a short one", async () => {
    using world = newWorld();
    const path = world.file("log/cron.log", "");
    await world.exec(["truncate", "-s", "20G", path]);
    await world.exec(["sh", "-c", `for i in $(seq 50); do echo "line $i"; done >>${path}`]);
    const { stdout } = await world.run("doctor");
    const shown = section(stdout).split("\n");
    expect(shown.slice(0, 40)).toEqual(Array.from({ length: 40 }, (_, at) => `  line ${at + 11}`));
    expect(shown[40]).toContain("cron.log: 20.000 GiB, ");
  });

  test("none yet, and none that can be read", async () => {
    using world = newWorld();
    expect(section((await world.run("doctor")).stdout)).toBe(
      `[INFO] ${world.log}/cron.log does not exist yet: nothing was run by crond.`,
    );
    await world.exec(["mkfifo", `${world.log}/cron.log`]);
    expect(section((await world.run("doctor")).stdout)).toBe(
      `[WARN] ${world.log}/cron.log cannot be read: it is not a regular file.`,
    );
  });
});

describe("folders that others can write", () => {
  const said = async (world: World) =>
    (await world.run("doctor")).stdout.split("\n").filter((line) => line.includes("is not safe: "));

  test("LOG_DIR, LOCK_DIR, METRICS_DIR, CRONTAB_DIR, and what is above them, are warned of", async () => {
    using world = new World();
    world.link("doctor");
    world.env.METRICS_DIR = world.folder("open/metrics");
    world.env.CRONTAB_DIR = world.folder("crontabs");
    world.file("crontabs/root", "");
    expect(await said(world)).toEqual([]);
    for (const folder of [world.log, world.lock, `${world.dir}/crontabs`]) chmodSync(folder, 0o1777);
    chmodSync(`${world.dir}/open`, 0o777);
    const lines = (await said(world)).join("\n");
    for (const [name, path] of [
      ["LOG_DIR", `${world.log} is not safe: everybody can write it (mode 1777). `],
      ["LOCK_DIR", `${world.lock} is not safe: everybody can write it (mode 1777). `],
      [
        "METRICS_DIR",
        `${world.dir}/open, above ${world.dir}/open/metrics, is not safe: everybody can write it`,
      ],
      ["CRONTAB_DIR", `${world.dir}/crontabs is not safe: everybody can write it (mode 1777). `],
    ])
      expect(lines).toContain(`[WARN] ${name}: ${path}`);
  });

  test("a sticky folder above them is none: there others touch only what is theirs", async () => {
    using world = new World();
    world.link("doctor");
    const above = world.folder("shared");
    chmodSync(above, 0o1777);
    world.env.LOG_DIR = world.folder("shared/log");
    expect(await said(world)).toEqual([]);
  });
});
