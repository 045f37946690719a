// The words that restic is called with: RESTIC_JOB_ARGS, paths, host and tag. A fake restic tells.
import { describe, expect, test } from "bun:test";
import { calls } from "../support/calls.ts";
import { World } from "../support/world.ts";

const HEAD = ["backup", "--json", "--tag", "automated", "--host", "testhost"];

describe("RESTIC_JOB_ARGS", () => {
  const quoting: [args: string, words: string[]][] = [
    ["--exclude *.tmp", ["--exclude", "*.tmp"]],
    [`--exclude '/a b' --exclude "/c d"`, ["--exclude", "/a b", "--exclude", "/c d"]],
    ["--exclude /a\\ b", ["--exclude", "/a b"]],
    [
      "--exclude=$HOME --exclude=`id` --exclude=$(id) ~",
      ["--exclude=$HOME", "--exclude=`id`", "--exclude=$(id)", "~"],
    ],
    ["--one-file-system\n--exclude-caches\n", ["--one-file-system", "--exclude-caches"]],
    [`"it's" 'say "hi"' ''`, ["it's", 'say "hi"', ""]],
    ["a;b|c&d>e#f", ["a;b|c&d>e#f"]],
    ["--exclude '*.ü'", ["--exclude", "*.ü"]],
  ];
  test.each(quoting)("%j is split as a shell would, and expanded by nobody", async (args, expected) => {
    using world = new World();
    const { code, words } = await calls(world, { RESTIC_JOB_ARGS: args });
    expect({ code, words }).toEqual({ code: 0, words: [...HEAD, ...expected, "--", world.source] });
  });

  test.each(["'open", '"open', "trailing\\"])("%j is a configuration error", async (args) => {
    using world = new World();
    world.hook("post-backup", 'echo "post $1"');
    const { code, stdout, calls: none } = await calls(world, { RESTIC_JOB_ARGS: args });
    expect({ code, none }).toEqual({ code: 2, none: [] });
    expect(stdout).toContain("ERROR backup  RESTIC_JOB_ARGS: the ");
    expect(stdout).toContain("post-backup | post 2\n");
  });

  test("serves alone, without BACKUP_ROOT_DIR; with neither there is nothing to back up", async () => {
    using world = new World();
    const alone = await calls(world, { BACKUP_ROOT_DIR: "", RESTIC_JOB_ARGS: "--files-from /list" });
    expect(alone.words).toEqual([...HEAD, "--files-from", "/list"]);
    using other = new World();
    const neither = await calls(other, { BACKUP_ROOT_DIR: " \n", RESTIC_JOB_ARGS: "" });
    expect({ code: neither.code, calls: neither.calls }).toEqual({ code: 2, calls: [] });
    expect(neither.stdout).toContain("There is nothing to back up. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS");
  });
});

test("BACKUP_ROOT_DIR holds a path per line, with blanks and dashes in them", async () => {
  using world = new World();
  const paths = ["/a b/c", "-dash", "/  leading blanks", '/"quoted"', "/$HOME"];
  const { words } = await calls(world, { BACKUP_ROOT_DIR: `${paths.join("\r\n")}\n\n` });
  expect(words).toEqual([...HEAD, "--", ...paths]);
});

describe("the host", () => {
  const hosts: [env: Record<string, string | undefined>, words: string[]][] = [
    [{ HOSTNAME: "nas" }, ["--host", "nas"]],
    [{ HOSTNAME: "" }, []],
    [{ HOSTNAME: undefined }, []],
    [{ HOSTNAME: "nas", RESTIC_HOST: "other" }, []],
    [{ HOSTNAME: "nas", RESTIC_JOB_ARGS: "--host other" }, ["--host", "other"]],
    [{ HOSTNAME: "nas", RESTIC_JOB_ARGS: "--host=other" }, ["--host=other"]],
    [{ HOSTNAME: "nas", RESTIC_JOB_ARGS: "-H other" }, ["-H", "other"]],
  ];
  test.each(hosts)("of %j", async (env, expected) => {
    using world = new World();
    const { words } = await calls(world, env);
    expect(words).toEqual(["backup", "--json", "--tag", "automated", ...expected, "--", world.source]);
  });
});

test("RESTIC_TAG: the default when unset, exit 2 when explicitly empty", async () => {
  using world = new World();
  expect((await calls(world, { RESTIC_TAG: "two words" })).words?.slice(2, 4)).toEqual([
    "--tag",
    "two words",
  ]);
  for (const RESTIC_TAG of ["", " "]) {
    const { code, stdout } = await calls(world, { RESTIC_TAG });
    expect(code).toBe(2);
    expect(stdout).toContain("RESTIC_TAG is empty. Give it a tag, or unset it for the default, automated.");
  }
});
