// Names that hold anything, and 100,000 of them: what restic saves comes back, and the facts are right.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { equip } from "../support/ready-repository.ts";
import { restic as newest, restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const NAMES: readonly Buffer[] = [
  ...[
    "two words",
    " lead",
    "trail ",
    "-rf",
    "--",
    "~",
    "$HOME",
    "`id`",
    "*?[a]",
    "it's",
    'say "hi"',
    "back\\slash",
  ],
  ...[
    "new\nline",
    "\n",
    "tab\t",
    "bell\x07",
    "\x1b[31mred",
    "%s%n",
    "ümläut",
    "日本",
    "\u202egnp.exe",
    "a".repeat(255),
  ],
]
  .map((name) => Buffer.from(name))
  .concat([Buffer.from([0x62, 0xff, 0xfe]), Buffer.from([0x80]), Buffer.from([0xc3, 0x28])]);

const at = (folder: string, name: Buffer) => Buffer.concat([Buffer.from(`${folder}/`), name]);
const hexIn = (folder: string) =>
  (readdirSync(folder, { encoding: "buffer" }) as unknown as Buffer[])
    .map((name) => name.toString("hex"))
    .sort();

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("saves names of every kind, from two folders with odd names themselves", async () => {
    using world = new World();
    equip(world, restic);
    const roots = [world.folder("a folder; with $blanks"), world.folder("-dash 'and' \"quotes\"")];
    for (const root of roots) for (const name of NAMES) writeFileSync(at(root, name), name);
    // The second one by a path that begins with a dash.
    const BACKUP_ROOT_DIR = `${roots[0]}\n-dash 'and' "quotes"`;
    const { code, stdout, stderr } = await world.run("backup", [], { env: { BACKUP_ROOT_DIR } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(
      stdout.split("\n").every((line) => line === "" || /^\d{4}-\d\d-\d\d [\d:]{8} INFO /.test(line)),
    ).toBe(true);
    expect(world.record()).toMatchObject({
      status: "ok",
      files_new: 2 * NAMES.length,
      total_files_processed: 2 * NAMES.length,
    });
    expect(world.record()).not.toHaveProperty("unreadable_count");

    const target = world.folder("back");
    expect((await world.exec(["restic", "restore", "latest", "--target", target])).code).toBe(0);
    // restic keeps a relative path as it is.
    for (const back of [`${target}${roots[0]}`, `${target}/-dash 'and' "quotes"`]) {
      expect(hexIn(back)).toEqual(NAMES.map((name) => name.toString("hex")).sort());
      for (const name of NAMES) expect(readFileSync(at(back, name)).equals(name)).toBe(true);
    }
  });
});

needing("restic").describe("100,000 files", () => {
  const source = mkdtempSync(join(tmpdir(), "rbh-100000-"));
  // To make them, to read them and to remove them is the disk's work: seconds, or minutes where it is busy.
  const DISK_MS = 300_000;
  afterAll(() => rmSync(source, { recursive: true }), DISK_MS);

  test(
    "are counted, in flat memory, and found unmodified the next time",
    async () => {
      // split(1) makes a file of each line faster than any script.
      for (let folder = 0; folder < 100; folder++) {
        const path = join(source, String(folder));
        mkdirSync(path);
        const make = `seq ${folder * 1000} ${folder * 1000 + 999} | split -a 3 -l 1`;
        expect(Bun.spawnSync(["sh", "-c", make], { cwd: path }).exitCode).toBe(0);
      }
      using world = new World();
      equip(world, newest);
      world.env.BACKUP_ROOT_DIR = source;
      world.hook("post-backup", "sed -n 's/^VmHWM:[^0-9]*/peak /p' /proc/$PPID/status");
      const peaks: number[] = [];
      for (const expected of [
        { files_new: 100_000, files_unmodified: 0 },
        { files_new: 0, files_unmodified: 100_000 },
      ]) {
        const { code, stdout, stderr } = await world.run("backup");
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(world.record()).toMatchObject({
          ...expected,
          total_files_processed: 100_000,
          files_changed: 0,
        });
        expect(stdout).toContain(
          `: ${expected.files_new} files new, 0 changed, ${expected.files_unmodified} unmodified; `,
        );
        peaks.push(Number(/post-backup \| peak (\d+) kB/.exec(stdout)?.[1]));
      }
      expect(Math.max(...peaks)).toBeLessThan(100 * 1024);
    },
    DISK_MS,
  );
});
