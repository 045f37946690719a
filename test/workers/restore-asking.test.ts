// restore at a terminal: what it asks, and how it is told to leave off.
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { Snapshots, TIMES } from "../support/snapshots.ts";
import { canConverse, converse, type Step } from "../support/terminal.ts";
import { describeTree } from "../support/tree.ts";
import type { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots?.[Symbol.dispose]());

const WHICH = "Which snapshot, 1 to 4 or its ID [1, q to cancel]:";
const WHAT = "What to bring back, such as /data/photos or *.txt [everything, q to cancel]:";
const WHERE = "Restore into which directory [/restore, q to cancel]:";
const REHEARSE = "Rehearse it first, without writing anything? [y/N, q to cancel]:";
const PROCEED = "now? [y/N, q to cancel]:";

const questions = (target: string): Step[] => [
  [WHICH, "2\n"],
  [WHAT, "\n"],
  [WHERE, `${target}\n`],
  [REHEARSE, "y\n"],
  [PROCEED, "y\n"],
];

/** Hooks tell how it went on. */
function prepare(path = restic.path): { world: World; target: string } {
  const world = snapshots.open(path);
  world.hook("post-restore", 'echo "post $1 $RBH_STATUS"');
  return { world, target: join(world.dir, "target") };
}

describe.skipIf(!canConverse)("restore at a terminal (needs python3, for its pty)", () => {
  test.each(restics.map(({ version, path }) => [version, path] as const))(
    "asks, rehearses where restic %s can, and restores",
    async (version, path) => {
      const { world, target } = prepare(path);
      using _ = world;
      const rehearses = Bun.semver.order(version, "0.17.0") >= 0;
      const steps = questions(target).filter(([until]) => rehearses || until !== REHEARSE);
      const { code, screen, unasked } = await converse(world, "restore", [], steps);
      expect({ code, unasked }).toEqual({ code: 0, unasked: [] });
      for (const [at, time] of TIMES.entries()) {
        expect(screen).toContain(`${4 - at}  ${snapshots.short(at)}  ${time}  testhost  automated`);
      }
      expect(screen).toContain(`Snapshot ${snapshots.short(2)} of ${TIMES[2]}`);
      if (rehearses)
        expect(screen).toContain("Nothing was written; the restore would write 31 files and folders");
      else
        expect(screen).toContain(
          `A restore can be rehearsed only by restic 0.17.0 or later; this is restic ${version}.`,
        );
      expect(screen).toContain(`Restore everything of snapshot ${snapshots.short(2)} to ${target} now?`);
      expect(screen).toContain("post-restore | post 0 ok");
      expect(describeTree(join(target, snapshots.source))).toEqual(describeTree(snapshots.source));
      expect(world.record("restore")).toMatchObject({
        status: "ok",
        snapshot: snapshots.short(2),
        dry_run: "OFF",
        files_restored: 31,
      });
      // The log of the run holds the conversation.
      expect(world.read("log/restore-last.log")).toContain(`${WHERE} ${target}\n`);
    },
  );

  test.each<[string, number]>([
    ["which snapshot", 0],
    ["what", 1],
    ["where to", 2],
    ["rehearse", 3],
    ["go on", 4],
  ])("q at %s cancels: exit 130, nothing restored", async (_, at) => {
    const { world, target } = prepare();
    using __ = world;
    const steps = questions(target).slice(0, at + 1);
    steps[at] = [steps[at]![0], at % 2 === 0 ? "q\n" : " Q \n"];
    const { code, screen, unasked } = await converse(world, "restore", [], steps);
    expect({ code, unasked }).toEqual({ code: 130, unasked: [] });
    expect(screen).toContain("Cancelled; nothing was restored.");
    expect(screen).toContain("post-restore | post 130 cancelled");
    const record = world.record("restore");
    expect(record).toMatchObject({ exit_code: 130, status: "cancelled" });
    expect([undefined, 0]).toContain(record.files_restored);
    expect(existsSync(target)).toBe(false);
  });

  test.each<[string, Step[1], number, string]>([
    ["no", "n\n", 130, "cancelled"],
    ["Enter", "\n", 130, "cancelled"],
    ["the end of input", "\x04", 130, "cancelled"],
    ["Ctrl-C", "\x03", 130, "interrupted"],
    ["SIGTERM", { signal: "SIGTERM" }, 143, "interrupted"],
  ])("%s instead of yes", async (_, answer, code, status) => {
    const { world, target } = prepare();
    using __ = world;
    const args = ["--id", snapshots.short(0), "--target", target];
    const ended = await converse(world, "restore", args, [
      [REHEARSE, "\n"],
      [PROCEED, answer],
    ]);
    expect(ended).toMatchObject({ code, unasked: [] });
    expect(ended.screen).toContain(`post-restore | post ${code} ${status}`);
    expect(world.record("restore")).toMatchObject({ exit_code: code, status });
    expect(existsSync(target)).toBe(false);
  });

  test("answers that make no sense are asked again, a refused target too", async () => {
    const { world, target } = prepare();
    using _ = world;
    const steps: Step[] = [
      [WHICH, "99\n"],
      ["99 is neither a number from 1 to 4 nor one of these IDs.", ""],
      [WHICH, "zebra\n"],
      ["zebra is neither", ""],
      [WHICH, `${snapshots.short(0)}\n`],
      [WHERE, `${world.source}\n`],
      [`${world.source} is refused: it is BACKUP_ROOT_DIR ${world.source}. Choose another one`, ""],
      [WHERE, `${target}\n`],
      [REHEARSE, "perhaps\n"],
      ["Please answer y or n, or q to cancel.", ""],
      [REHEARSE, "no\n"],
      [PROCEED, "YES\n"],
    ];
    const { code, unasked } = await converse(world, "restore", ["--include", "app.tmp"], steps);
    expect({ code, unasked }).toEqual({ code: 0, unasked: [] });
    expect(world.record("restore")).toMatchObject({ snapshot: snapshots.short(0), target });
    expect(existsSync(join(target, snapshots.source, "logs/app.tmp"))).toBe(true);
  });

  test("a path that is named is all that comes back", async () => {
    const { world, target } = prepare();
    using _ = world;
    const path = join(snapshots.source, "logs");
    const steps: Step[] = [
      [WHICH, "\n"],
      [WHAT, `${path}\n`],
      [WHERE, `${target}\n`],
      [REHEARSE, "n\n"],
      [`Restore only ${path} of snapshot ${snapshots.short(3)} to ${target} ${PROCEED}`, "y\n"],
    ];
    const { code, unasked } = await converse(world, "restore", [], steps);
    expect({ code, unasked }).toEqual({ code: 0, unasked: [] });
    expect(existsSync(join(target, path, "app.log"))).toBe(true);
    expect(existsSync(join(target, snapshots.source, "docs"))).toBe(false);
  });

  test("what flags have said is not asked; --yes asks nothing", async () => {
    const { world, target } = prepare();
    using _ = world;
    const some = await converse(
      world,
      "restore",
      ["--since", "2026-03-02", "--target", target],
      [[REHEARSE, "q\n"]],
    );
    expect(some.code).toBe(130);
    expect(some.screen).not.toContain("Which snapshot");
    expect(some.screen).not.toContain("which directory");
    const none = await converse(world, "restore", ["-y", "--target", target, "--include", "app.tmp"], []);
    expect(none.code).toBe(0);
    expect(none.screen).not.toContain("q to cancel");
  });

  test("a path with backticks and underscores stays as it is", async () => {
    const { world } = prepare();
    using _ = world;
    const target = join(world.dir, "a_b_`c`_*d*");
    const steps: Step[] = [
      [WHICH, "\n"],
      [WHERE, `${target}\n`],
      [REHEARSE, "n\n"],
      [`${target} ${PROCEED}`, "y\n"],
    ];
    const { code, unasked } = await converse(world, "restore", ["--include", "app.tmp"], steps);
    expect({ code, unasked }).toEqual({ code: 0, unasked: [] });
    expect(existsSync(join(target, snapshots.source, "logs/app.tmp"))).toBe(true);
  });
});

test("without a terminal it asks nothing and does what the flags say", async () => {
  const { world, target } = prepare();
  using _ = world;
  const { code, stdout } = await world.run("restore", ["--target", target, "--include", "app.tmp"], {
    stdin: "q\n",
  });
  expect(code).toBe(0);
  expect(stdout).not.toContain("q to cancel");
});
