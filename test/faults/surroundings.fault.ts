// Faults of what a run finds around it: no flock, closed streams, a strange environment, another user.
import { expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { equipQuickly } from "../support/quick-repository.ts";
import { restic } from "../support/restics.ts";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";

const isRoot = process.getuid?.() === 0;

interface Around {
  readonly injected: string;
  /** A shell's words for it; `exec backup` closes them. */
  readonly shell: string;
  readonly env?: Record<string, string | undefined>;
  /** Needs restic itself, not a stand-in. */
  readonly real?: true;
  readonly silent?: true;
}

/** Whatever these are, the run is right. */
const harmless: Around[] = [
  { injected: "HOSTNAME is empty", shell: "exec backup", env: { HOSTNAME: "" } },
  { injected: "stdin is closed", shell: "exec backup <&-" },
  { injected: "stdout is closed", shell: "exec backup >&-", silent: true },
  { injected: "stderr is closed", shell: "exec backup 2>&-" },
  { injected: "stdin, stdout and stderr are closed", shell: "exec backup <&- >&- 2>&-", silent: true },
  { injected: "TMPDIR is missing", shell: "exec backup", env: { TMPDIR: "/nonexistent" } },
  { injected: "HOME is unset", shell: "unset HOME; exec backup", real: true },
  { injected: "TZ is garbage", shell: "exec backup", env: { TZ: ":\u0001../..//Nowhere/!!" } },
  { injected: "the locale is C", shell: "exec backup", env: { LC_ALL: "C", LANG: "C" } },
  { injected: "the umask is 777", shell: "umask 777; exec backup" },
  { injected: "the stack is 256 KiB", shell: "ulimit -s 256; exec backup" },
  {
    injected: "the environment is 1 MiB",
    shell: "exec backup",
    env: Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`LARGE_${at}`, "x".repeat(104_857)])),
  },
];

for (const { injected, shell, env = {}, real, silent } of harmless) {
  fault({ injected, promised: "the run is right, hooks and all" }, async (world) => {
    hooked(world);
    if (real) await equipQuickly(world, restic);
    const { code, stdout, stderr } = await world.exec(["sh", "-c", shell], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const log = world.read("log/backup-last.log");
    expect(silent ? stdout : log).toBe(stdout);
    expect(log).toContain("backup finished: ok, exit 0");
    const { status, hooks, hostname, snapshot_id } = world.record();
    expect({ status, hooks: hooks.map(codeOf) }).toEqual({ status: "ok", hooks: [0, 0] });
    expect(hostname).toMatch(/./);
    if (real) expect(snapshot_id).toMatch(/^[0-9a-f]{8}$/);
    return `exit 0, status ok, both hooks ran${real ? `, snapshot ${snapshot_id}` : ""}`;
  });
}

/** What restic cannot do without. */
const restics = [
  {
    injected: "TMPDIR is missing, and restic needs it",
    shell: "TMPDIR=/nonexistent exec backup",
    says: "/nonexistent/",
  },
  {
    injected: "HOME and the cache folder are unset, and restic needs one",
    shell: "unset HOME RESTIC_CACHE_DIR; exec backup",
    says: "neither $XDG_CACHE_HOME nor $HOME are defined",
  },
];

for (const { injected, shell, says } of restics) {
  fault({ injected, promised: "failed and recorded, with restic's own words" }, async (world) => {
    await equipQuickly(world, restic);
    hooked(world);
    const { code, stdout, stderr } = await world.exec(["sh", "-c", shell]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toContain(says);
    const { status, hooks } = world.record();
    expect({ status, hooks: hooks.map(codeOf) }).toEqual({ status: "failed", hooks: [0, 0] });
    return `exit 1, status failed, restic says "${says}"`;
  });
}

const codeOf = ({ exit_code }: { exit_code: number }) => exit_code;

function hooked(world: World): void {
  world.hook("pre-backup", "echo before");
  world.hook("post-backup", "echo after");
}

fault(
  {
    injected: "flock is missing in PATH",
    promised: "exit 1 and what to install; nothing is run, nothing skipped",
  },
  async (world) => {
    hooked(world);
    const tools = world.folder("tools");
    for (const name of ["sh", "mkfifo"]) symlinkSync(Bun.which(name) ?? "", `${tools}/${name}`);
    const { code, stdout, stderr } = await world.run("backup", [], {
      env: { PATH: `${world.bin}:${tools}` },
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toContain("flock was not found in PATH=");
    expect(stdout).toContain("Install util-linux or busybox; nothing was run.");
    expect(stdout).not.toContain("skipped");
    expect(world.record()).toMatchObject({ status: "failed", exit_code: 1, hooks: [] });
    return "exit 1, recorded; flock was not found; Install util-linux or busybox";
  },
);

fault(
  { injected: "the working directory is deleted before the start", promised: "it says so; nothing is begun" },
  async (world) => {
    const { code, stdout, stderr } = await world.exec([
      "sh",
      "-c",
      "mkdir gone; cd gone; rmdir ../gone; exec backup",
    ]);
    // Bun itself refuses, before any line of ours.
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("current working directory was deleted");
    expect(world.history()).toEqual([]);
    return "exit 1: The current working directory was deleted (Bun's own words)";
  },
);

fault(
  { injected: "the working directory is deleted in mid-run", promised: "the run is right, hooks and all" },
  async (world) => {
    hooked(world);
    world.hook("pre-backup", `rmdir '${world.dir}/gone'`);
    const { code, stderr } = await world.exec(["sh", "-c", "mkdir gone; cd gone; exec backup"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(world.record().hooks.map(codeOf)).toEqual([0, 0]);
    return "exit 0, status ok, both hooks ran";
  },
);

fault(
  {
    injected: "10,000 files that are no hooks in HOOKS_DIR and in pre-backup.d",
    promised: "the run takes no longer",
  },
  async (world) => {
    hooked(world);
    mkdirSync(`${world.hooks}/pre-backup.d`);
    for (let at = 0; at < 10_000; at++) {
      writeFileSync(`${world.hooks}/pre-backup-${at}.sh`, "", { mode: 0o755 });
      writeFileSync(`${world.hooks}/pre-backup.d/${at}.txt`, "");
    }
    const begun = performance.now();
    const { code, stderr } = await world.run("backup");
    const took = performance.now() - begun;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(world.record().hooks.map(codeOf)).toEqual([0, 0]);
    expect(took).toBeLessThan(5000);
    rmSync(world.hooks, { recursive: true });
    mkdirSync(world.hooks);
    return `exit 0 after ${Math.round(took)} ms`;
  },
);

fault(
  {
    injected: "10,000 hooks in pre-backup.d that are not executable",
    promised: "each is named; the backup is right",
  },
  async (world) => {
    mkdirSync(`${world.hooks}/pre-backup.d`);
    for (let at = 0; at < 10_000; at++) writeFileSync(`${world.hooks}/pre-backup.d/${at}.sh`, "");
    const begun = performance.now();
    const { code } = await world.run("backup");
    const took = performance.now() - begun;
    expect(code).toBe(0);
    // Not on stdout, where lines are left out while the reader, on a busy machine, takes none.
    const lines = world.read("log/backup-last.log").split("\n");
    expect(lines.filter((line) => line.includes("not executable (mode 0644)"))).toHaveLength(10_000);
    expect(world.record().hooks).toHaveLength(10_000);
    expect(took).toBeLessThan(20_000);
    return `exit 0 after ${Math.round(took)} ms, 10,000 ERROR lines`;
  },
);

const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

if (!isRoot) test.skip("run as nobody (only root can become nobody)", () => {});
else {
  fault(
    {
      injected: "run as nobody, with nothing writable",
      promised: "exit 1; says which folder, and what to do",
    },
    async (world) => {
      hooked(world);
      await world.exec(["chmod", "755", world.dir]);
      const { code, stdout, stderr } = await world.exec([...asNobody, "backup"]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
      expect(stdout).toContain(
        `The lock ${world.lock}/backup.lock cannot be taken: permission denied. Create the folder`,
      );
      expect(stdout).toContain(
        `The record ${world.log}/last-backup.json cannot be written: permission denied.`,
      );
      return "exit 1, names LOCK_DIR and the record that cannot be written";
    },
  );

  fault(
    {
      injected: "run as nobody, with LOCK_DIR writable and LOG_DIR not",
      promised: "the backup is right; one warning",
    },
    async (world) => {
      hooked(world);
      await world.exec(["chmod", "755", world.dir]);
      await world.exec(["chmod", "777", world.lock]);
      const { code, stdout, stderr } = await world.exec([...asNobody, "backup"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout.match(/cannot be written/g)).toHaveLength(2); // once said, and "not said again"
      expect(stdout).toContain("backup finished: ok, exit 0");
      return "exit 0, one WARN about LOG_DIR";
    },
  );

  fault(
    { injected: "run as nobody with a umask of 777", promised: "this run and the next are right" },
    async (world) => {
      hooked(world);
      await world.exec(["chmod", "777", world.dir, world.lock, world.log]);
      for (let run = 0; run < 2; run++) {
        const { code, stdout, stderr } = await world.exec([
          ...asNobody,
          "sh",
          "-c",
          "umask 777; exec backup",
        ]);
        expect({ run, code, stderr, stdout }).toEqual({ run, code: 0, stderr: "", stdout });
        // The folder above HOOKS_DIR was opened to everybody, which is said.
        const others = stdout
          .split("\n")
          .filter((line) => !/ WARN +backup {2}HOOKS_DIR=\S+: .* is not safe/.test(line));
        expect(others.join("\n")).not.toMatch(/WARN|ERROR/);
        expect(world.record()).toMatchObject({ status: "ok" });
      }
      expect(world.history()).toHaveLength(2);
      return "exit 0 twice, both recorded";
    },
  );
}
