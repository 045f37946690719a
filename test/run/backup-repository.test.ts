// How restic finds its repository: RESTIC_REPOSITORY_FILE and RESTIC_CACERT. A fake restic tells.
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { calls } from "../support/calls.ts";
import { modest } from "../support/modest.ts";
import { World } from "../support/world.ts";

describe("RESTIC_CACERT", () => {
  test("is handed on when it can be read, to every call", async () => {
    using world = new World();
    const RESTIC_CACERT = world.file("ca certificate.pem", "x");
    const { calls: all } = await calls(world, { RESTIC_CACERT, RESTIC_FORGET_ARGS: "--keep-last 1" });
    expect(all.map(({ words }) => words.slice(0, 3))).toEqual([
      ["--cacert", RESTIC_CACERT, "backup"],
      ["--cacert", RESTIC_CACERT, "forget"],
    ]);
  });

  test("is left out with a warning when it cannot", async () => {
    using world = new World();
    for (const path of [`${world.dir}/missing`, world.file("secret.pem", "x", 0)]) {
      chmodSync(world.dir, 0o755);
      const { code, stdout, calls: all } = await calls(world, { RESTIC_CACERT: path }, modest(["backup"]));
      expect({ code, first: all.at(-1)?.words[0] }).toEqual({ code: 0, first: "backup" });
      expect(stdout).toContain(
        `WARN  backup  RESTIC_CACERT=${path} cannot be read; restic runs without --cacert.`,
      );
    }
  });
});

describe("RESTIC_REPOSITORY_FILE", () => {
  test("gives the first line that is neither blank nor a comment, and is not handed on", async () => {
    using world = new World();
    const file = world.file(
      "repo",
      "\r\n  # where it is\r\n\t rest:https://me:hidden-word@host/x y \r\nsecond\r\n",
    );
    const { code, stdout, env } = await calls(world, { RESTIC_REPOSITORY_FILE: file });
    expect(code).toBe(0);
    expect(env.RESTIC_REPOSITORY).toBe("rest:https://me:hidden-word@host/x y");
    expect(env).not.toHaveProperty("RESTIC_REPOSITORY_FILE");
    expect(stdout).toContain("Backing up to rest:https://me:***@host/x y.\n");
    expect(world.record().repository).toBe("rest:https://me:***@host/x y");
  });

  const wrong: [what: string, make: (world: World) => string, says: string][] = [
    [
      "is missing",
      (world) => `${world.dir}/none`,
      "cannot be read: no such file or directory. Mount it, or unset it.",
    ],
    [
      "is a folder",
      (world) => world.dir,
      "is a folder: docker makes one where the file to mount is missing.",
    ],
    ["names nothing", (world) => world.file("repo", "# only\r\n\r\n"), "names no repository"],
  ];
  test.each(wrong)("that %s is a configuration error", async (_, make, says) => {
    using world = new World();
    const path = make(world);
    const { code, stdout, calls: none } = await calls(world, { RESTIC_REPOSITORY_FILE: path });
    expect({ code, none }).toEqual({ code: 2, none: [] });
    expect(stdout).toMatch(new RegExp(`ERROR backup  RESTIC_REPOSITORY_FILE[= ]${path} ${says}`));
    expect(world.record()).toMatchObject({ status: "failed", exit_code: 2 });
  });
});
