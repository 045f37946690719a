// find: in which snapshots a file is.
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { OTHER_TIME, Snapshots, TIMES } from "../support/snapshots.ts";
import type { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots[Symbol.dispose]());

const find = (world: World, ...args: string[]) => world.run("restic-backup-helper", ["find", ...args]);
/** The rows of the table, without their heading and what follows it. */
const rows = (stdout: string) =>
  stdout
    .split("\n")
    .filter((line) => /^[0-9a-f]{8} /.test(line))
    .map((line) => line.split(/ {2,}/));

describe.each(restics.map(({ version, path }) => [version, path] as const))("with restic %s", (_, path) => {
  test("a row for each snapshot that holds it, the newest first; nothing is recorded", async () => {
    using world = snapshots.open(path);
    const { code, stdout, stderr } = await find(world, "app.log");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const file = join(snapshots.source, "logs/app.log");
    expect(rows(stdout)).toEqual(
      [3, 2, 1, 0].map((at) => [
        snapshots.short(at),
        TIMES[at]!,
        "3.906 KiB",
        expect.stringMatching(/^2000-01-01 00:00:\d\d$/),
        file,
      ]),
    );
    expect(stdout).toStartWith("SNAPSHOT  TIME ");
    expect(stdout).toEndWith(
      `To bring the first back: restore --id ${snapshots.short(3)} --include ${file}\n`,
    );
    expect(readdirSync(world.log)).toEqual([]);
    expect(readdirSync(join(world.repository, "locks"))).toEqual([]);
  });

  test("any host and tag, one snapshot, folders, letters of any case", async () => {
    using world = snapshots.open(path);
    const all = await find(world, "plain.txt", "--host", "", "--tag", "");
    expect(rows(all.stdout).map(([, time]) => time)).toEqual([OTHER_TIME, ...[...TIMES].reverse()]);
    const one = await find(world, "*.TXT", "-i", "--id", snapshots.short(4));
    expect(rows(one.stdout).map(([id, , , , at]) => [id, at?.split("/").at(-1)])).toEqual([
      [snapshots.short(4), "leaf.txt"],
      [snapshots.short(4), "no-one.txt"],
      [snapshots.short(4), "plain.txt"],
    ]);
    const folder = await find(world, `${snapshots.source}/photos/`, "--id", snapshots.short(0));
    // restic shows what is in a folder whose path is given, too.
    const [first, ...inside] = rows(folder.stdout);
    expect(first?.slice(0, 3)).toEqual([snapshots.short(0), TIMES[0], "-"]);
    expect(first?.at(-1)).toBe(join(snapshots.source, "photos"));
    expect(inside).toHaveLength(3);
  });

  test("nothing matches: exit 1 and a sentence; what begins with a dash is not a flag of restic's", async () => {
    using world = snapshots.open(path);
    const { code, stdout } = await find(world, "nosuch");
    expect(code).toBe(1);
    expect(stdout).toContain(
      "Nothing matches nosuch: no snapshot with tag automated of host testhost holds it.",
    );
    const dash = await find(world, "--id", snapshots.short(0), "?dash");
    expect(rows(dash.stdout)).toHaveLength(1);
  });
});

test("a pattern is needed, and an id that is one", async () => {
  using world = snapshots.open(restic.path);
  for (const [args, words] of [
    [[], "pattern"],
    [[" "], "find needs a name or a path, not an empty word."],
    [["a", "--id", "zebra"], "--id zebra is not a snapshot's ID"],
  ] as const) {
    const { code, stderr } = await find(world, ...args);
    expect({ args, code, stderr }).toEqual({ args, code: 2, stderr: expect.stringContaining(words) });
  }
});

test("the command that it names brings the file back", async () => {
  using world = snapshots.open(restic.path);
  const { stdout } = await find(world, "*Leerzeichen*");
  const command = /To bring the first back: restore (.*)\n/.exec(stdout)?.[1] ?? "";
  const target = join(world.dir, "target");
  world.link("restore");
  const { code } = await world.exec(["sh", "-c", `restore ${command} --target ${target}`]);
  expect(code).toBe(0);
  expect(readdirSync(join(target, snapshots.source, "photos"))).toEqual(["grüße mit Leerzeichen.jpg"]);
});
