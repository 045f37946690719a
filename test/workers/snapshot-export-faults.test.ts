// What is left when an export does not come to its end, and what a large one needs.
import { expect } from "bun:test";
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { isRoot } from "../support/tree.ts";
import { finish, World, waitFor } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic");

/**
 * One snapshot of a gigabyte that cannot be compressed, so that exporting it takes its time: 32 names of one file,
 * which restic keeps once. And one of 2 GiB of zeros, as a single file.
 */
class Large {
  readonly world = new World();

  async make(): Promise<void> {
    const { world } = this;
    world.useRestic(restic.path);
    const noise = world.file("noise", "");
    await world.exec(["dd", "if=/dev/urandom", `of=${noise}`, "bs=1M", "count=32", "status=none"]);
    for (let at = 0; at < 32; at++) await world.exec(["ln", noise, join(world.source, `noise-${at}`)]);
    await world.exec(["restic", "init"]);
    const zeros = "head -c 2147483648 /dev/zero | restic backup --quiet --stdin --stdin-filename /big/zeros";
    await world.exec(["sh", "-c", `${zeros} --host testhost --tag zeros`]);
    await world.exec([
      ...["restic", "backup", "--quiet", "--host", "testhost", "--tag", "automated", world.source],
    ]);
  }

  open(path: string): World {
    const world = new World();
    world.useRestic(path);
    cpSync(join(this.world.dir, "repository"), join(world.dir, "repository"), { recursive: true });
    return world;
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

const large = new Large();
beforeAll(() => large.make(), 120_000);
afterAll(() => large[Symbol.dispose]());

/** Bytes that are in the folder's files by now. */
const bytesIn = (folder: string) =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

/** The pid of the restic that works for this world. */
function resticOf(world: World): number | undefined {
  return world.processes().find((pid) => /^restic\0(restore|dump)/.test(commandOf(pid)));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

/** Both ways, by their arguments. The second one packs what it has restored. */
const WAYS: [string, string[]][] = [
  ["streamed", []],
  ["packed", ["--exclude", "nothing"]],
];

/** Starts an export and waits until its archive grows. */
async function begin(world: World, args: readonly string[]) {
  const out = world.folder("out");
  const work = world.folder("work");
  const words = ["--output", join(out, "x.tar.gz"), "--work-dir", work, ...args];
  const child = world.start("snapshot-export", words, { env: { STOP_TIMEOUT: "30" } });
  await waitFor(() => bytesIn(out) > 100_000, "the archive to grow", 40_000);
  return { child, out, work };
}

const locksIn = (world: World) => readdirSync(join(world.dir, "repository/locks"));

describe.each(WAYS)("an export that is %s", (way, args) => {
  test.each<[NodeJS.Signals, number]>([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ])("stopped by %s leaves nothing behind", async (signal, code) => {
    using world = large.open(restic.path);
    world.hook("post-snapshot-export", 'echo "post $1 $RBH_STATUS"');
    const { child, out, work } = await begin(world, args);
    child.kill(signal);
    const ended = await finish(child);
    expect(ended).toMatchObject({ code, stderr: "" });
    expect(ended.stdout).toContain(`post-snapshot-export | post ${code} interrupted`);
    expect({ out: readdirSync(out), work: readdirSync(work), locks: locksIn(world) }).toEqual({
      out: [],
      work: [],
      locks: [],
    });
    expect(world.record("snapshot-export")).toMatchObject({ status: "interrupted", signal, exit_code: code });
  });

  test("killed with SIGKILL leaves no archive, and the next one clears up", async () => {
    using world = large.open(restic.path);
    const { child, out, work } = await begin(world, args);
    child.kill("SIGKILL");
    expect((await finish(child)).code).toBe(137);
    expect(readdirSync(out)).toEqual([expect.stringMatching(/^x\.tar\.gz\.rbh-\d+-\d+-\d+\.part$/)]);
    const workdirs = way === "packed" ? [expect.stringMatching(/^snapshot-export\.rbh-.*\.work$/)] : [];
    expect(readdirSync(work)).toEqual(workdirs);
    // What it has started ends by itself, and with it the lock.
    await waitFor(() => world.processes().length === 0, "restic and tar to end", 20_000);
    const stranger = world.file("out/mine.part", "mine");
    const words = ["--output", join(out, "x.tar.gz"), "--work-dir", work, "--include", "noise-1"];
    // The kernel closes what a process had open a moment after it can be seen no more.
    const ended = await waitFor(async () => {
      const each = await world.run("snapshot-export", words);
      return each.code === 75 ? undefined : each;
    }, "the lock");
    const { code, stdout } = ended!;
    expect(code).toBe(0);
    expect(stdout).toContain(".part was left by an export that was killed; removed it.");
    if (way === "packed")
      expect(stdout).toContain(".work was left by an export that was killed; removed it.");
    expect(readdirSync(out).sort()).toEqual(["mine.part", "x.tar.gz"]);
    expect(readFileSync(stranger, "utf8")).toBe("mine");
    expect(readdirSync(work)).toEqual([]);
  });

  test.skipIf(!isRoot)("a full disk leaves nothing behind (needs root, to mount one)", async () => {
    using world = large.open(restic.path);
    const small = world.folder("small");
    await world.exec(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", small]);
    try {
      const old = world.file("small/x.tar.gz", "the one before");
      const words = ["--output", old, "--force", "--work-dir", world.folder("work"), ...args];
      const { code, stdout } = await world.run("snapshot-export", words);
      expect(code).toBe(1);
      expect(stdout).toContain(
        `The archive ${old} cannot be written: no space left on the device. Make room, or choose an --output on another disk.`,
      );
      expect({ small: readdirSync(small), work: readdirSync(join(world.dir, "work")) }).toEqual({
        small: ["x.tar.gz"],
        work: [],
      });
      expect(world.read("small/x.tar.gz")).toBe("the one before");
      expect(locksIn(world)).toEqual([]);
      expect(world.record("snapshot-export")).toMatchObject({ exit_code: 1, status: "failed" });
    } finally {
      await world.exec(["umount", "-l", small]);
    }
  });
});

test("SNAPSHOT_EXPORT_TIMEOUT: exit 124, nothing left behind", async () => {
  using world = large.open(restic.path);
  const out = world.folder("out");
  const words = ["--output", join(out, "x.tar.gz")];
  const { code, stdout } = await world.run("snapshot-export", words, {
    env: { SNAPSHOT_EXPORT_TIMEOUT: "3s" },
  });
  expect(code).toBe(124);
  expect(stdout).toContain("snapshot-export finished: timed_out, exit 124");
  expect({ out: readdirSync(out), locks: locksIn(world) }).toEqual({ out: [], locks: [] });
});

test.each(restics.map(({ version, path }) => [version, path] as const))(
  "restic %s killed in mid-dump: its 137, no archive",
  async (_, path) => {
    using world = large.open(path);
    const { child, out } = await begin(world, []);
    process.kill((await waitFor(() => resticOf(world), "restic"))!, "SIGKILL");
    const { code, stdout } = await finish(child);
    expect(code).toBe(137);
    expect(stdout).toContain("restic dump failed (exit 137).");
    expect(readdirSync(out)).toEqual([]);
    expect(world.record("snapshot-export")).toMatchObject({ exit_code: 137, status: "failed" });
  },
);

test.skipIf(!isRoot)(
  "a work directory on a full disk: restic's own failure (needs root, to mount one)",
  async () => {
    using world = large.open(restic.path);
    const small = world.folder("small");
    await world.exec(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small]);
    try {
      const out = world.folder("out");
      const words = ["--output", join(out, "x.tar"), "--work-dir", small, "--exclude", "nothing"];
      const { code, stdout } = await world.run("snapshot-export", words);
      expect(code).toBe(1);
      expect(stdout).toContain("no space left on device");
      expect({ out: readdirSync(out), small: readdirSync(small) }).toEqual({ out: [], small: [] });
    } finally {
      await world.exec(["umount", "-l", small]);
    }
  },
);

test("a tar that fails: no archive, and its words", async () => {
  using world = large.open(restic.path);
  world.program(
    "tar",
    'case $1 in --version) echo "not GNU";; *) head -c 1000000 /dev/zero; echo "tar: no" >&2; exit 2;; esac',
  );
  const out = world.folder("out");
  const words = [
    "--output",
    join(out, "x.tar"),
    "--work-dir",
    world.folder("work"),
    "--include",
    "noise-1",
    "--include",
    "x",
  ];
  const { code, stdout } = await world.run("snapshot-export", words);
  expect(code).toBe(1);
  expect(stdout).toContain("tar | tar: no");
  expect(stdout).toContain("tar could not pack");
  expect({ out: readdirSync(out), work: readdirSync(join(world.dir, "work")) }).toEqual({
    out: [],
    work: [],
  });
});

test("a restic that ends with 0 in the middle of its stream: no archive", async () => {
  using world = large.open(restic.path);
  world.program(
    "restic",
    `case $1 in dump) ${restic.path} "$@" | head -c 5000000; exit 0;; *) exec ${restic.path} "$@";; esac`,
  );
  const out = world.folder("out");
  const { code, stdout } = await world.run("snapshot-export", ["--output", join(out, "x.tar")]);
  expect(code).toBe(1);
  expect(stdout).toContain("The stream of files broke off before its end; the archive is not kept.");
  expect(readdirSync(out)).toEqual([]);
});

test("2 GiB with flat memory, and no temporary disk", async () => {
  using world = large.open(restic.path);
  const out = world.folder("out");
  const output = join(out, "x.tar.gz");
  const child = world.start("snapshot-export", ["--tag", "zeros", "--output", output], {
    env: { TMPDIR: "/nonexistent" },
  });
  const seen: number[] = [];
  const watch = setInterval(() => seen.push(residentMiB(child.pid)), 50);
  const { code, stdout } = await finish(child);
  clearInterval(watch);
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("2.000 GiB") });
  // Its floor is some 45 MiB; blocks on their way, and what is not collected yet, take the rest.
  expect(Math.max(...seen)).toBeLessThan(256);
  const { exitCode, stdout: size } = Bun.spawnSync(["sh", "-c", `gzip -dc "${output}" | tar -xO | wc -c`]);
  expect({ exitCode, size: Number(size.toString()) }).toEqual({ exitCode: 0, size: 2 ** 31 });
}, 120_000);

function residentMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

test("leftovers of another container are left alone until nobody has touched them for a week", async () => {
  using world = large.open(restic.path);
  const out = world.folder("out");
  const [fresh, old] = ["a.tar.rbh-1-1-1.part", "b.tar.rbh-1-1-1.part"].map((name) =>
    world.file(`out/${name}`, ""),
  );
  writeFileSync(fresh!, "");
  await world.exec(["touch", "-d", "8 days ago", old!]);
  const words = ["--output", join(out, "x.tar"), "--include", join(large.world.source, "noise-1")];
  expect((await world.run("snapshot-export", words)).code).toBe(0);
  expect(readdirSync(out).sort()).toEqual(["a.tar.rbh-1-1-1.part", "x.tar"]);
});
