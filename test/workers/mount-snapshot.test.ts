// Real FUSE, real restic: mounts come up, and whatever ends them, nothing is mounted when the post-hook runs.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { canMount, command, isMounted, Mounts, Prepared } from "../support/mounts.ts";
import { restics } from "../support/restics.ts";
import { alive, finish, waitFor } from "../support/world.ts";

if (!canMount) console.log("mount-snapshot: skipped, for this machine lacks /dev/fuse, fusermount or restic");

let prepared: Prepared;
beforeAll(async () => {
  if (canMount) prepared = await Prepared.make();
}, 60_000);
afterAll(() => prepared?.[Symbol.dispose]());

describe.skipIf(!canMount)("mount-snapshot", () => {
  const each = restics.map((tool) => [tool.version, tool] as const);

  test.each(each)("mounts with restic %s, has the right bytes, and ends with SIGINT", async (_, tool) => {
    using world = new Mounts(prepared, tool);
    const child = await world.mount();
    const latest = join(world.target, "snapshots/latest", prepared.world.source);
    expect(readFileSync(join(latest, "sub/random.bin"))).toEqual(Buffer.from(prepared.bytes));
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
    using world = new Mounts(prepared, tool);
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
    using world = new Mounts(prepared, tool);
    const child = await world.mount();
    expect((await world.exec(["fusermount", "-u", world.target])).code).toBe(0);
    const { code, stdout, stderr } = await finish(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Unmounted from outside; nothing is mounted any more.");
    expect(world.record("mount-snapshot")).toMatchObject({ status: "ok", ended_by: "unmount" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test.each(each)("takes the mount away when restic %s is killed", async (_, tool) => {
    using world = new Mounts(prepared, tool);
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
    using world = new Mounts(prepared, tool);
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
    using world = new Mounts(prepared);
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
    expect(stdout).toContain("restic had to be killed; its lock is still in the repository");
    expect(world.record("mount-snapshot")).toMatchObject({ status: "warning", unmount: "plain" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a second signal interrupts it at once, and still nothing is mounted", async () => {
    using world = new Mounts(prepared);
    world.env.STOP_TIMEOUT = "60";
    const child = await world.mount();
    process.kill(world.server(), "SIGSTOP");
    const begun = performance.now();
    child.kill("SIGINT");
    await Bun.sleep(2200); // what comes within two seconds belongs to the same stop
    child.kill("SIGINT");
    const { code } = await finish(child);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(code).toBe(130);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ status: "interrupted", signal: "SIGINT" });
  });

  test("a stop before there is a mount interrupts it", async () => {
    using world = new Mounts(prepared);
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
    using world = new Mounts(prepared);
    const { code } = await world.run("mount-snapshot", ["--target", world.target], {
      env: { MOUNT_SNAPSHOT_TIMEOUT: "4" },
    });
    expect(code).toBe(124);
    expect(isMounted(world.target)).toBe(false);
    expect(world.record("mount-snapshot")).toMatchObject({ status: "timed_out", mounted: "ON" });
    expect(world.read("seen")).toBe("nothing\n");
  });

  test("a restic that outlives its killed worker keeps the lock, and the next run clears its dead mount", async () => {
    using world = new Mounts(prepared);
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
    expect(stdout).toContain(`A restic that was killed left its mount at ${world.target}; unmounting it.`);
    expect(isMounted(world.target)).toBe(false);
  });

  test("refuses a place where a repository is mounted, and mounts beside it", async () => {
    using world = new Mounts(prepared);
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
    using world = new Mounts(prepared);
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
    using world = new Mounts(prepared);
    // What restic would add by itself must not narrow it.
    const child = await world.mount(args, { env: { RESTIC_HOST: "testhost" } });
    child.kill("SIGINT");
    const { code, stdout } = await finish(child);
    expect(code).toBe(0);
    expect(stdout).toContain(`read-only; snapshots: ${count}.`);
    expect(world.record("mount-snapshot").snapshots).toBe(count);
    if (count === 0) {
      expect(stdout).toContain("There are no snapshots with tag nightly of host testhost; --repo-wide");
    }
  });

  test.each(each)(
    "takes --path again and again, all of which must match, with restic %s",
    async (_, tool) => {
      using world = new Mounts(prepared, tool);
      const child = await world.mount(["--repo-wide", "--path", join(prepared.world.source, "sub")]);
      child.kill("SIGINT");
      expect((await finish(child)).stdout).toContain("snapshots: 1.");
      const none = await world.mount([
        "--repo-wide",
        "--path",
        prepared.world.source,
        "--path",
        "/elsewhere",
      ]);
      none.kill("SIGINT");
      expect((await finish(none)).stdout).toContain("snapshots: 0.");
    },
  );
});

describe.skipIf(!canMount)("mount-snapshot with --force", () => {
  test("covers what is in a directory, which is there again afterwards", async () => {
    using world = new Mounts(prepared);
    world.file("mnt/letter.txt", "dear");
    const child = await world.mount(["--force"]);
    expect(world.has("mnt/letter.txt")).toBe(false);
    child.kill("SIGINT");
    expect((await finish(child)).code).toBe(0);
    expect(world.read("mnt/letter.txt")).toBe("dear");
  });
});
