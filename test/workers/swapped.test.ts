// What others swap while we restore, give away or remove: nothing of theirs, or of the system's, is touched.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../../lib/files/tree.ts";
import { ownMark, removeDeadWorkDirs } from "../../lib/run/workdir.ts";
import { canMount } from "../support/faulty-mounts.ts";
import { equipQuickly } from "../support/quick-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

setDefaultTimeout(60_000);
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

const scratch = mkdtempSync(join(tmpdir(), "rbh-swapped-"));
afterAll(() => rmSync(scratch, { recursive: true }));
let made = 0;
const place = (): string => {
  const path = join(scratch, String(++made));
  mkdirSync(path);
  return path;
};

// Giving files away takes root.
describe.skipIf(!isRoot).each(restics.map((each) => [each.version, each] as const))(
  "restic %s",
  (_, restic) => {
    /** A restic that does something before it restores. */
    async function worldWhere(does: string): Promise<World> {
      const world = new World();
      await equipQuickly(world, restic);
      world.file("source/file.txt", "saved\n");
      await world.exec(["restic", "backup", "-q", "--host=testhost", "--tag=automated", world.source]);
      writeFileSync(join(world.source, "file.txt"), "changed since\n");
      const real = restic.path;
      world.program("restic", `case " $* " in *" restore "*) ${does} ;; esac\nexec '${real}' "$@"`);
      return world;
    }

    test("--owner: a target that is swapped for a link while it is restored stays the one that was meant", async () => {
      using world = await worldWhere(
        'mv "$W/home/target" "$W/home/moved"; ln -s "$W/victim" "$W/home/target"',
      );
      const victim = world.folder("victim");
      world.env.W = world.dir;
      mkdirSync(join(world.dir, "home"));
      const target = join(world.dir, "home/target");
      const { code, stdout } = await world.run("restore", [
        "--target",
        target,
        "--owner",
        "12345:23456",
        "--verify",
      ]);
      expect({ code, stdout: stdout.includes("Restored ") }).toEqual({ code: 0, stdout: true });
      expect(world.read("source/file.txt")).toBe("changed since\n");
      expect(statSync(join(world.source, "file.txt")).uid).toBe(0);
      expect([statSync(victim).uid, readdirSync(victim)]).toEqual([0, []]);
      const moved = join(world.dir, "home/moved");
      expect(readFileSync(join(moved, world.source, "file.txt"), "utf8")).toBe("saved\n");
      for (const path of [moved, join(moved, world.source), join(moved, world.source, "file.txt")])
        expect(lstatSync(path)).toMatchObject({ uid: 12345, gid: 23456 });
      expect(world.record("restore")).toMatchObject({
        owner_changed: "ON",
        files_restored: expect.any(Number),
      });
      expect(world.record("restore").files_restored).toBeGreaterThan(1);
    });

    test.skipIf(restic !== restics.at(-1))("--owner: a link of another user's is no target", async () => {
      using world = await worldWhere("exit 99");
      const home = world.folder("home");
      const victim = world.folder("victim");
      symlinkSync(victim, join(home, "target"));
      Bun.spawnSync(["chown", "-h", String(NOBODY), join(home, "target")]);
      for (const target of [join(home, "target"), join(home, "target/below")]) {
        const { code, stdout } = await world.run("restore", [
          "--target",
          target,
          "--owner",
          "1:1",
          "--force",
        ]);
        expect(code).toBe(2);
        expect(stdout).toContain(
          `The target ${target} is refused: ${home}/target is a symbolic link of another user's. Choose another --target`,
        );
      }
      expect(statSync(victim).uid).toBe(0);
    });
  },
);

describe("removing a work directory", () => {
  test("leaves what links in it lead to", async () => {
    const outside = place();
    writeFileSync(join(outside, "kept"), "kept");
    chmodSync(outside, 0o755);
    const folder = join(place(), "work");
    mkdirSync(join(folder, "deep/er"), { recursive: true });
    symlinkSync(outside, join(folder, "link"));
    symlinkSync(outside, join(folder, "deep/er/link"));
    await removeTree(folder);
    expect([existsSync(folder), readFileSync(join(outside, "kept"), "utf8")]).toEqual([false, "kept"]);
  });

  test("removes a link that has taken its place, and changes no mode where that leads", async () => {
    const outside = place();
    writeFileSync(join(outside, "kept"), "kept");
    chmodSync(outside, 0o510);
    const link = join(place(), "work");
    symlinkSync(outside, link);
    await removeTree(link);
    expect(existsSync(link)).toBe(false);
    expect([statSync(outside).mode & 0o777, existsSync(join(outside, "kept"))]).toEqual([0o510, true]);
  });

  test("opens folders that deny access to their owner", async () => {
    const program = `import { removeTree } from ${JSON.stringify(join(import.meta.dir, "../../lib/files/tree.ts"))};
await removeTree(process.argv[2] ?? "");`;
    const folder = place();
    chmodSync(scratch, 0o777);
    chmodSync(folder, 0o777);
    const script = join(folder, "script.ts");
    writeFileSync(script, program);
    const work = join(folder, "work");
    const shell = `mkdir -p '${work}/a/b/c' && touch '${work}/a/b/c/f' && chmod 0 '${work}/a/b/c' '${work}/a/b' '${work}/a' && exec "$@"`;
    const as = isRoot ? ["setpriv", `--reuid=${NOBODY}`, "--clear-groups"] : [];
    const { stderr } = Bun.spawnSync([...as, "sh", "-c", shell, "sh", process.execPath, script, work], {
      env: { ...process.env, HOME: folder, BUN_INSTALL_CACHE_DIR: folder },
    });
    expect([stderr.toString(), existsSync(work)]).toEqual(["", false]);
  });

  test.skipIf(!canMount)("keeps what is mounted in it, and itself, with the reason", async () => {
    const outside = place();
    writeFileSync(join(outside, "kept"), "kept");
    const folder = join(place(), "work");
    mkdirSync(join(folder, "deep/er"), { recursive: true });
    const mount = Bun.spawnSync(["mount", "--bind", outside, join(folder, "deep/er")]);
    expect(mount.exitCode).toBe(0);
    try {
      expect(removeTree(folder)).rejects.toThrow(`a file system is mounted on ${folder}/deep/er; unmount it`);
      expect(existsSync(join(outside, "kept"))).toBe(true);
    } finally {
      Bun.spawnSync(["umount", join(folder, "deep/er")]);
    }
    await removeTree(folder);
    expect(existsSync(folder)).toBe(false);
  });

  test("thousands of files, names that are no UTF-8, and nothing at all", async () => {
    const folder = join(place(), "work");
    mkdirSync(join(folder, "many"), { recursive: true });
    for (let count = 0; count < 3000; count++) writeFileSync(join(folder, "many", String(count)), "");
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0xfe)]), "");
    await removeTree(folder);
    await removeTree(folder);
    expect(existsSync(folder)).toBe(false);
  });

  test.skipIf(!isRoot)("another user's leftover is left alone", async () => {
    const parent = place();
    const name = `restore-test.${ownMark("work").replace(/rbh-\d+/, "rbh-4194304")}`;
    mkdirSync(join(parent, name));
    Bun.spawnSync(["chown", String(NOBODY), join(parent, name)]);
    expect(await removeDeadWorkDirs(parent)).toEqual([]);
    Bun.spawnSync(["chown", "0", join(parent, name)]);
    renameSync(join(parent, name), join(parent, `x${name}`));
    expect(await removeDeadWorkDirs(parent)).toEqual([`x${name}`]);
  });
});
