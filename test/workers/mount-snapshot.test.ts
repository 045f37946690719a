// Real FUSE, real restic: mounts come up, and whatever ends them, nothing is mounted when the post-hook runs.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { restic, restics, type Tool } from "../support/restics.ts";
import { alive, finish, type RunOptions, World, waitFor } from "../support/world.ts";

const canMount = (() => {
  try {
    closeSync(openSync("/dev/fuse", "r+"));
    return Bun.which("fusermount") !== null && restics.length > 0;
  } catch {
    return false;
  }
})();
if (!canMount) console.log("mount-snapshot: skipped, for this machine lacks /dev/fuse, fusermount or restic");

const isMounted = (path: string) => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);

/** A world with a repository, a hook that tells what is mounted after the work, and a target. */
class Mounts extends World {
  readonly target = join(this.dir, "mnt");

  constructor(tool: Tool = restic) {
    super();
    this.useRestic(tool.path);
    cpSync(join(prepared.dir, `repository-${tool.version}`), join(this.dir, "repository"), {
      recursive: true,
    });
    mkdirSync(this.target);
    this.hook(
      "post-mount-snapshot",
      `if grep -q ' ${this.target} ' /proc/self/mountinfo; then echo still; else echo nothing; fi >"${this.dir}/seen"`,
    );
  }

  /** Starts mount-snapshot and waits until it has said where to look. */
  async mount(args: readonly string[] = [], options: RunOptions = {}) {
    const child = this.start("mount-snapshot", ["--target", this.target, ...args], options);
    await waitFor(() => isMounted(this.target), "the mount", 30_000);
    await waitFor(() => this.read("log/mount-snapshot-last.log").includes("To end it:"), "where to look");
    return child;
  }

  /** The restic that serves the mount. */
  server(): number {
    const found = this.processes().find((pid) => command(pid)[0] === "restic" && command(pid)[1] === "mount");
    return found ?? 0;
  }

  get post(): unknown {
    return this.record("mount-snapshot").hooks.map((hook: Record<string, unknown>) => [
      hook.phase,
      hook.exit_code,
    ]);
  }

  override [Symbol.dispose](): void {
    while (isMounted(this.target)) Bun.spawnSync(["umount", "-l", this.target]);
    super[Symbol.dispose]();
  }
}

function command(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    // It has ended.
    return [];
  }
}

let prepared: World;
const bytes = crypto.getRandomValues(new Uint8Array(60_000));

beforeAll(async () => {
  prepared = new World();
  if (!canMount) return;
  prepared.file("source/sub/random.bin", bytes);
  for (const { version, path } of restics) {
    const env = { RESTIC_REPOSITORY: join(prepared.dir, `repository-${version}`) };
    await prepared.exec([path, "init"], { env });
    const snapshot = (host: string, tag: string, source: string) =>
      prepared.exec([path, "backup", "--host", host, "--tag", tag, source], { env });
    await snapshot("testhost", "automated", prepared.source);
    await snapshot("otherhost", "automated", join(prepared.source, "sub"));
  }
}, 60_000);

afterAll(() => prepared[Symbol.dispose]());

describe.skipIf(!canMount)("mount-snapshot", () => {
  const each = restics.map((tool) => [tool.version, tool] as const);

  test.each(each)("mounts with restic %s, has the right bytes, and ends with SIGINT", async (_, tool) => {
    using world = new Mounts(tool);
    const child = await world.mount();
    const latest = join(world.target, "snapshots/latest", prepared.source);
    expect(readFileSync(join(latest, "sub/random.bin"))).toEqual(Buffer.from(bytes));
    expect(readFileSync(join(latest, "file.txt"), "utf8")).toBe("content\n");
    child.kill("SIGINT");
    const { code, stdout, stderr } = await finish(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(isMounted(world.target)).toBe(false);
    expect(stdout).toContain(`Mounted at ${world.target}, read-only; snapshots: 1.`);
    expect(stdout).toContain(`Look into ${world.target}/snapshots/latest;`);
    expect(stdout).toContain("SIGINT ended the mount; nothing is mounted any more.");
    expect(stdout).toContain("mount-snapshot finished: ok, exit 0");
    expect(stdout).not.toContain("\\x1b");
    expect(world.record("mount-snapshot")).toMatchObject({
      exit_code: 0,
      status: "ok",
      ended_by: "SIGINT",
      target: world.target,
      host: "testhost",
      tag: "automated",
      mounted: "ON",
      snapshots: 1,
      unmount: "gone",
    });
    expect(world.record("mount-snapshot")).not.toHaveProperty("signal");
    expect(world.post).toEqual([["post-mount-snapshot", 0]]);
    expect(world.read("seen")).toBe("nothing\n");
    expect((await world.exec(["restic", "list", "locks", "-q"])).stdout).toBe("");
  });

  test.each(each)("ends with SIGTERM, and restic %s leaves no lock", async (_, tool) => {
    using world = new Mounts(tool);
    const child = await world.mount();
    child.kill("SIGTERM");
    const { code, stderr } = await finish(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ status: "ok", ended_by: "SIGTERM" });
    expect(world.read("seen")).toBe("nothing\n");
    expect((await world.exec(["restic", "list", "locks", "-q"])).stdout).toBe("");
  });

  test.each(each)("ends when restic %s is unmounted from outside", async (_, tool) => {
    using world = new Mounts(tool);
    const child = await world.mount();
    expect((await world.exec(["fusermount", "-u", world.target])).code).toBe(0);
    const { code, stdout, stderr } = await finish(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Unmounted from outside; nothing is mounted any more.");
    expect(world.record("mount-snapshot")).toMatchObject({ status: "ok", ended_by: "unmount" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test.each(each)("takes the mount away when restic %s is killed", async (_, tool) => {
    using world = new Mounts(tool);
    const child = await world.mount();
    process.kill(world.server(), "SIGKILL");
    const { code, stdout } = await finish(child);
    expect(code).toBe(137);
    expect(stdout).toContain(`restic left its mount at ${world.target} behind; it was unmounted.`);
    expect(stdout).toContain("restic mount failed (exit 137)");
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({
      exit_code: 137,
      status: "failed",
      unmount: "plain",
    });
    expect(world.post).toEqual([["post-mount-snapshot", 0]]);
    expect(world.read("seen")).toBe("nothing\n");
  });

  test.each(each)("unmounts lazily what somebody stands in at the stop, with restic %s", async (_, tool) => {
    using world = new Mounts(tool);
    const child = await world.mount();
    const sitter = Bun.spawn(["sleep", "60"], { cwd: join(world.target, "snapshots") });
    await waitFor(() => command(sitter.pid)[0] === "sleep", "the sitter");
    const begun = performance.now();
    child.kill("SIGTERM");
    const { code, stdout } = await finish(child);
    expect(code).toBe(0);
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(isMounted(world.target)).toBe(false);
    expect(stdout).toContain(
      `${world.target} was in use by sleep (pid ${sitter.pid}). It was unmounted lazily`,
    );
    expect(world.record("mount-snapshot")).toMatchObject({
      exit_code: 0,
      status: "warning",
      unmount: "lazy",
    });
    expect(world.read("seen")).toBe("nothing\n");
    expect(alive(sitter.pid)).toBe(true);
    sitter.kill();
    await sitter.exited;
  });

  test("kills a restic that hangs at the stop, within STOP_TIMEOUT, and says that its lock stays", async () => {
    using world = new Mounts();
    const child = await world.mount([], { env: { STOP_TIMEOUT: "5" } });
    const pid = world.server();
    process.kill(pid, "SIGSTOP");
    const begun = performance.now();
    child.kill("SIGTERM");
    const { code, stdout } = await finish(child);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(code).toBe(0);
    expect(alive(pid)).toBe(false);
    expect(isMounted(world.target)).toBe(false);
    expect(stdout).toContain("restic had to be killed; its lock stays in the repository");
    expect(world.record("mount-snapshot")).toMatchObject({ status: "warning", unmount: "plain" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a second signal interrupts it at once, and still nothing is mounted", async () => {
    using world = new Mounts();
    const child = await world.mount();
    process.kill(world.server(), "SIGSTOP");
    const begun = performance.now();
    child.kill("SIGINT");
    await Bun.sleep(100); // two signals of one kind that come together are one
    child.kill("SIGINT");
    const { code } = await finish(child);
    expect(performance.now() - begun).toBeLessThan(4000);
    expect(code).toBe(130);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ status: "interrupted", signal: "SIGINT" });
  });

  test("a stop before there is a mount interrupts it", async () => {
    using world = new Mounts();
    world.program("restic", `echo begun >"${world.dir}/begun"; exec sleep 60`);
    const child = world.start("mount-snapshot", ["--target", world.target]);
    await waitFor(() => world.has("begun"), "restic");
    child.kill("SIGTERM");
    expect((await finish(child)).code).toBe(143);
    expect(world.record("mount-snapshot")).toMatchObject({
      status: "interrupted",
      signal: "SIGTERM",
      mounted: "OFF",
    });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("its time-out unmounts too", async () => {
    using world = new Mounts();
    const { code } = await world.run("mount-snapshot", ["--target", world.target], {
      env: { MOUNT_SNAPSHOT_TIMEOUT: "4" },
    });
    expect(code).toBe(124);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ status: "timed_out", mounted: "ON" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a restic that outlives its killed worker keeps the lock, and the next run clears its dead mount", async () => {
    using world = new Mounts();
    const child = await world.mount();
    const pid = world.server();
    child.kill("SIGKILL");
    await finish(child);
    const busy = await world.run("mount-snapshot", ["--target", world.target]);
    expect(busy.code).toBe(75);
    expect(busy.stdout).toContain(`what it started still runs: restic with pid ${pid}`);
    process.kill(pid, "SIGKILL");
    await waitFor(() => !alive(pid), "restic's end");
    expect(isMounted(world.target)).toBe(true);
    rmSync(join(world.log, "mount-snapshot-last.log"));
    const again = await world.mount();
    again.kill("SIGTERM");
    const { code, stdout } = await finish(again);
    expect(code).toBe(0);
    expect(stdout).toContain(`A restic that has died left its mount at ${world.target}; it is taken away.`);
    expect(isMounted(world.target)).toBe(false);
  });

  test("refuses a place where a repository is mounted, and mounts beside it", async () => {
    using world = new Mounts();
    const first = await world.mount();
    const second = await world.run("mount-snapshot", ["--target", world.target], {
      env: { LOCK_DIR: world.folder("lock2"), LOG_DIR: world.folder("log2") },
    });
    expect(second.code).toBe(2);
    expect(second.stdout).toContain(`A repository is mounted at ${world.target} already.`);
    expect(isMounted(world.target)).toBe(true);
    first.kill("SIGINT");
    expect((await finish(first)).code).toBe(0);
  });

  test("makes a target that is missing, and takes it away again", async () => {
    using world = new Mounts();
    rmSync(world.target, { recursive: true });
    const child = await world.mount();
    child.kill("SIGINT");
    expect((await finish(child)).code).toBe(0);
    expect(world.has("mnt")).toBe(false);
  });

  test.each([
    ["by default those of this host and tag", [], 1],
    ["all of them with --repo-wide", ["--repo-wide"], 2],
    ["those of any host", ["--host", ""], 2],
    ["those of another host", ["--host", "otherhost"], 1],
    ["those of a tag", ["--tag", "nightly"], 0],
  ])("shows %s", async (_, args, count) => {
    using world = new Mounts();
    // What restic would add by itself must not narrow it.
    const child = await world.mount(args, { env: { RESTIC_HOST: "testhost" } });
    child.kill("SIGINT");
    const { code, stdout } = await finish(child);
    expect(code).toBe(0);
    expect(stdout).toContain(`read-only; snapshots: ${count}.`);
    expect(world.record("mount-snapshot").snapshots).toBe(count);
    if (count === 0) {
      expect(stdout).toContain(
        "There are none among the snapshots of host testhost with tag nightly; --repo-wide",
      );
    }
  });

  test.each(each)(
    "takes --path again and again, all of which must match, with restic %s",
    async (_, tool) => {
      using world = new Mounts(tool);
      const child = await world.mount(["--repo-wide", "--path", join(prepared.source, "sub")]);
      child.kill("SIGINT");
      expect((await finish(child)).stdout).toContain("snapshots: 1.");
      const none = await world.mount(["--repo-wide", "--path", prepared.source, "--path", "/elsewhere"]);
      none.kill("SIGINT");
      expect((await finish(none)).stdout).toContain("snapshots: 0.");
    },
  );
});

describe("mount-snapshot refuses", () => {
  const refused = async (world: World, target: string, args: readonly string[] = []) => {
    world.restic("exit 99");
    const { code, stdout } = await world.run("mount-snapshot", ["--target", target, ...args]);
    expect(world.record("mount-snapshot")).toMatchObject({ exit_code: 2, status: "failed" });
    return { code, stdout };
  };

  test.each(["/", "/etc", "/etc/nowhere", "/usr", "/usr/local", "/data", "/data/x", "/dev", "/proc", "/tmp"])(
    "%s, even with --force",
    async (target) => {
      using world = new World();
      const { code, stdout } = await refused(world, target, ["--force"]);
      expect(code).toBe(2);
      expect(stdout).toMatch(
        /The target \S+ is refused: .*it (is|lies (inside|above)) .* Choose another directory/,
      );
    },
  );

  test.each([
    ["the source", "source", "it is a source of the backup"],
    ["what is inside the source", "source/new", "it lies inside"],
    ["what is above the source", ".", "it lies above"],
    ["the repository", "repository", "it is the repository itself"],
    ["what is inside the repository", "repository/data", "it lies inside"],
    ["the logs", "log", "it is LOG_DIR"],
    ["the hooks", "hooks", "it is HOOKS_DIR"],
    ["a link to the source", "link", "and it is a source of the backup"],
    ["a link into what is missing in the source", "dangling", "and it lies inside"],
    ["a place behind a link to the source", "link/deep", "and it lies inside"],
  ])("%s, even with --force", async (_, target, reason) => {
    using world = new World();
    symlinkSync("source", join(world.dir, "link"));
    symlinkSync(join(world.source, "later"), join(world.dir, "dangling"));
    const { code, stdout } = await refused(world, join(world.dir, target), ["--force"]);
    expect(code).toBe(2);
    expect(stdout).toContain(reason);
  });

  test("a file, and without --force a directory that is not empty", async () => {
    using world = new World();
    world.file("full/letter.txt", "dear");
    const full = await refused(world, join(world.dir, "full"));
    expect(full.code).toBe(2);
    expect(full.stdout).toContain(
      "it is not empty. Choose an empty directory with --target, or give --force",
    );
    const file = await refused(world, join(world.dir, "full/letter.txt"), ["--force"]);
    expect(file.stdout).toContain("it is not a directory");
  });

  test.each([
    [["--target", ""], "--target is empty"],
    [["--path", "relative"], "--path relative is not absolute"],
    [["--repo-wide", "--host", "x"], "--repo-wide takes snapshots of any host and tag"],
  ])("%j", async (args, words) => {
    using world = new World();
    const { code, stdout } = await world.run("mount-snapshot", args);
    expect(code).toBe(2);
    expect(stdout).toContain(words);
  });
});

describe.skipIf(!canMount)("mount-snapshot with --force", () => {
  test("covers what is in a directory, which is there again afterwards", async () => {
    using world = new Mounts();
    world.file("mnt/letter.txt", "dear");
    const child = await world.mount(["--force"]);
    expect(world.has("mnt/letter.txt")).toBe(false);
    child.kill("SIGINT");
    expect((await finish(child)).code).toBe(0);
    expect(world.read("mnt/letter.txt")).toBe("dear");
  });
});

const isRoot = process.geteuid?.() === 0;
if (!isRoot)
  console.log("mount-snapshot: tests of prerequisites are skipped, for they take things away as root");

describe.skipIf(!canMount || !isRoot)("mount-snapshot names what is missing", () => {
  /** Runs it in a mount namespace of its own, after `prepare`, by way of `through`. */
  const without = async (world: Mounts, prepare: string, through: readonly string[], args: string[] = []) => {
    const link = world.link("mount-snapshot");
    const script = `${prepare}\nexec "$@"`;
    const words = [link, "--target", world.target, ...args];
    const command = ["unshare", "-m", "sh", "-c", script, "sh", ...through, ...words];
    const result = await world.exec(command);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ exit_code: 2, status: "failed" });
    return result;
  };
  /** nobody owns this world. */
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const forNobody = (world: World) => `chown -R 65534:65534 "${world.dir}"`;
  const openDevice = (world: World) =>
    `mknod -m 666 "${world.dir}/fuse" c 10 229; mount --bind "${world.dir}/fuse" /dev/fuse`;

  test("/dev/fuse", async () => {
    using world = new Mounts();
    const hide = "mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9";
    const { code, stdout } = await without(world, hide, []);
    expect(code).toBe(2);
    expect(stdout).toContain("/dev/fuse is missing.");
    expect(stdout).toContain("docker:     docker run --device /dev/fuse …");
    expect(stdout).toContain('compose:    devices: ["/dev/fuse:/dev/fuse"]');
    expect(stdout).toContain("Kubernetes: securityContext: { privileged: true }");
    expect(stdout).toContain("One thing is missing for a FUSE mount");
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a /dev/fuse that this user may not open", async () => {
    using world = new Mounts();
    const closed = `mknod -m 600 "${world.dir}/fuse" c 10 229; mount --bind "${world.dir}/fuse" /dev/fuse; chown 0:0 "${world.dir}/fuse"`;
    const { code, stdout } = await without(world, `${forNobody(world)}; ${closed}`, user);
    expect(code).toBe(2);
    expect(stdout).toContain("/dev/fuse cannot be opened by this user (EACCES).");
    expect(stdout).toContain("on the host: chmod 666 /dev/fuse");
  });

  test("fusermount", async () => {
    using world = new Mounts();
    for (const name of ["sh", "flock", "mkfifo", "unshare", "grep"]) {
      symlinkSync(Bun.which(name)!, join(world.folder("few"), name));
    }
    world.env.PATH = `${world.bin}:${join(world.dir, "few")}`;
    const none = await without(world, "", []);
    expect(none.code).toBe(2);
    expect(none.stdout).toContain("fusermount is missing in PATH.");
    expect(none.stdout).toContain("apk add fuse");
    symlinkSync(Bun.which("fusermount")!, join(world.dir, "few/fusermount3"));
    const other = await without(world, "", []);
    expect(other.code).toBe(2);
    expect(other.stdout).toContain(`ln -s ${world.dir}/few/fusermount3 /usr/local/bin/fusermount`);
  });

  test("CAP_SYS_ADMIN", async () => {
    using world = new Mounts();
    const { code, stdout } = await without(world, "", [
      "setpriv",
      "--bounding-set=-sys_admin",
      "--inh-caps=-all",
    ]);
    expect(code).toBe(2);
    expect(stdout).toContain("The capability CAP_SYS_ADMIN is missing.");
    expect(stdout).toContain("docker run --cap-add SYS_ADMIN …");
    expect(stdout).toContain("cap_add: [SYS_ADMIN]");
    expect(stdout).toContain('capabilities: { add: ["SYS_ADMIN"] }');
  });

  test("no-new-privileges, for who is not root", async () => {
    using world = new Mounts();
    const prepare = `${openDevice(world)}; ${forNobody(world)}`;
    const { code, stdout } = await without(world, prepare, [...user, "--no-new-privs"], ["--allow-other"]);
    expect(code).toBe(2);
    expect(stdout).toContain("no-new-privileges is set");
    expect(stdout).toContain("securityContext: { allowPrivilegeEscalation: true }");
    expect(stdout).toContain("/etc/fuse.conf does not say user_allow_other");
    expect(stdout).toContain("2 things are missing for a FUSE mount");
  });

  test("docker's AppArmor profile", async () => {
    using world = new Mounts();
    const label = world.file("label", "docker-default (enforce)\n");
    // exec keeps the pid, so the file that is put over its attribute stays where it looks.
    const { code, stdout } = await without(world, `mount --bind ${label} /proc/$$/attr/current`, []);
    expect(code).toBe(2);
    expect(stdout).toContain("The AppArmor profile docker-default denies every mount.");
    expect(stdout).toContain("docker run --security-opt apparmor=unconfined …");
  });
});
