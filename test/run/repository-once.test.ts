// The repository is found out once in a run: RESTIC_REPOSITORY_FILE may be another file a moment later.
import { expect, test } from "bun:test";
import { calls } from "../support/calls.ts";
import { World } from "../support/world.ts";

const FIRST = "rest:https://me:first-password@first.example/";
const SECOND = "rest:https://me:second-password@second.example/";

test("a file that is swapped in mid-run changes nothing of that run", async () => {
  using world = new World();
  const file = world.file("repository", `${FIRST}\n`);
  const swap = `printf '%s\\n' '${SECOND}' >'${file}.new'; mv '${file}.new' '${file}'`;
  world.hook("pre-backup", `echo "is $RBH_REPOSITORY"; ${swap}`);
  world.hook("post-backup", 'echo "is $RBH_REPOSITORY"');
  const env = { RESTIC_REPOSITORY_FILE: file, RESTIC_FORGET_ARGS: "--keep-last 1" };
  const { code, stdout, calls: made } = await calls(world, env);
  expect(code).toBe(0);
  expect(made.map(({ words, env }) => [words[0], env.RESTIC_REPOSITORY])).toEqual([
    ["backup", FIRST],
    ["forget", FIRST],
  ]);
  const shown = "rest:https://me:***@first.example/";
  expect(stdout).toContain(`pre-backup | is ${shown}\n`);
  expect(stdout).toContain(`post-backup | is ${shown}\n`);
  expect(world.record().repository).toBe(shown);
});

const strace = Bun.which("strace");

test.skipIf(strace === null)(
  `the file is opened once${strace === null ? " (strace is missing)" : ""}`,
  async () => {
    using world = new World();
    const file = world.file("repository", `${FIRST}\n`);
    world.restic("exit 0");
    world.hook("pre-backup", "exit 0");
    world.hook("post-backup", "exit 0");
    const trace = ["strace", "-qq", "-o", "opened", "-e", "trace=open,openat", "-P", file];
    const command = [...trace, "locked_run", "backup", `${world.bin}/backup`];
    const env = { RESTIC_REPOSITORY_FILE: file, RESTIC_FORGET_ARGS: "--keep-last 1" };
    const { code, stdout } = await world.exec(command, { env });
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(world.record().repository).toContain("first.example");
    // Signals stand there too.
    const opened = world
      .read("opened")
      .split("\n")
      .filter((line) => line.includes("open"));
    expect(opened).toEqual([expect.stringContaining(file)]);
  },
);
