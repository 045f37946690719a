// What a child prints has one way into the log, whether a hook or restic printed it.
import { expect, test } from "bun:test";
import { World } from "../support/world.ts";

/** Ordinary, empty, coloured, with a secret, longer than a line of a log may be, and not ended. */
const SCRIPT = `echo one; echo; printf 'bell \\007\\n'; echo "secret: $RESTIC_PASSWORD"
printf '%040000d\\n' 7; printf 'no newline'`;

test("masked, made visible, broken and prefixed alike", async () => {
  using world = new World();
  world.hook("pre-backup", SCRIPT);
  world.program("restic", SCRIPT);
  const { code, stdout } = await world.run("backup");
  expect(code).toBe(0);
  const log = world.read("log/backup-last.log");
  for (const text of [stdout, log]) {
    const from = (source: string) =>
      text
        .split("\n")
        .flatMap((line) => (line.includes(` ${source} | `) ? line.split(` ${source} | `)[1] : []));
    const hook = from("pre-backup");
    expect(hook).toEqual([
      "one",
      "",
      "bell \\x07",
      "secret: ***",
      "0".repeat(16 * 1024),
      "0".repeat(16 * 1024),
      `${"0".repeat(40_000 - 2 * 16 * 1024 - 1)}7`,
      "no newline",
    ]);
    // An empty line of restic's says nothing, and is left out.
    expect(from("restic")).toEqual(hook.filter((line) => line !== ""));
  }
});
