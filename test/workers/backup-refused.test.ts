/** Runs that cannot begin their work live the same life: record, post-hook, exit code. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

/** A world whose hooks say that they ran, and whose restic must not. */
function world(): World {
  const it = new World();
  it.hook("pre-backup", "echo the pre-hook had its turn");
  it.hook("post-backup", `echo "the post-hook got $1 $RBH_STATUS $(grep -c '"error"' "$RBH_RECORD")"`);
  it.restic(`touch ${it.dir}/called`);
  return it;
}

describe("a configuration error is exit 2", () => {
  test.each<[string, Record<string, string | undefined>, RegExp]>([
    ["an empty tag", { RESTIC_TAG: "" }, /RESTIC_TAG is empty/],
    ["a blank tag", { RESTIC_TAG: " \n" }, /RESTIC_TAG is empty/],
    ["no password", { RESTIC_PASSWORD: undefined }, /password is missing.*RESTIC_PASSWORD_FILE/],
    ["an empty password", { RESTIC_PASSWORD: "" }, /password is missing/],
    ["nothing to back up", { BACKUP_ROOT_DIR: " \n" }, /nothing to back up. Set BACKUP_ROOT_DIR/],
    [
      "an open quote in RESTIC_JOB_ARGS",
      { RESTIC_JOB_ARGS: "--exclude 'a" },
      /RESTIC_JOB_ARGS: the ' at character 11/,
    ],
    [
      "an open quote in RESTIC_FORGET_ARGS",
      { RESTIC_FORGET_ARGS: '--tag "a' },
      /RESTIC_FORGET_ARGS: the " at character 7/,
    ],
    [
      "a repository file that is not there",
      { RESTIC_REPOSITORY_FILE: "/nowhere" },
      /RESTIC_REPOSITORY_FILE=\/nowhere cannot/,
    ],
  ])("%s", async (_, env, words) => {
    using it = world();
    const { code, stdout, stderr } = await it.run("backup", [], { env });
    expect({ code, stderr, called: it.has("called") }).toEqual({ code: 2, stderr: "", called: false });
    expect(stdout).toMatch(words);
    expect(stdout).toContain("pre-backup | the pre-hook had its turn");
    expect(stdout).toContain("post-backup | the post-hook got 2 failed 1");
    expect(it.record()).toMatchObject({
      exit_code: 2,
      status: "failed",
      error: expect.stringMatching(words),
    });
    expect(it.history()).toEqual([it.record()]);
  });
});

describe("restic that cannot be started", () => {
  const remove = (it: World) => it.exec(["rm", `${it.bin}/restic`]);
  test.each<[string, (it: World) => unknown, number, RegExp]>([
    ["missing", remove, 127, /restic was not found in PATH=/],
    [
      "not executable",
      (it) => it.exec(["chmod", "a-x", `${it.bin}/restic`]),
      126,
      /restic cannot be executed: .*restic lacks the permission/,
    ],
    [
      "no program",
      (it) => it.file("bin/restic", "\x7fELF but not really", 0o755),
      126,
      /is not a program for this machine/,
    ],
    [
      "without its interpreter",
      (it) => it.file("bin/restic", "#!/no/such/sh\n", 0o755),
      126,
      /names an interpreter that is missing/,
    ],
  ])("%s", async (_, spoil, code, words) => {
    using it = world();
    await spoil(it);
    // No other restic must be found: what the hooks need is linked into this world.
    for (const name of ["flock", "mkfifo", "grep", "sh"])
      await it.exec(["ln", "-s", Bun.which(name) ?? name, `${it.bin}/${name}`]);
    const result = await it.run("backup", [], { env: { PATH: it.bin } });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: "" });
    expect(result.stdout).toMatch(words);
    expect(result.stdout).toContain(`post-backup | the post-hook got ${code} failed 1`);
    expect(it.record()).toMatchObject({
      exit_code: code,
      status: "failed",
      error: expect.stringMatching(words),
    });
  });
});

test("flock(1) that is missing is exit 1, never contention, and nothing runs", async () => {
  using it = world();
  const { code, stdout } = await it.run("backup", [], { env: { PATH: it.bin } });
  expect({ code, called: it.has("called") }).toEqual({ code: 1, called: false });
  expect(stdout).toMatch(
    /ERROR backup {2}The lock .*backup.lock cannot be taken: flock was not found in PATH=.*Install/,
  );
  expect(stdout).not.toContain("skipped");
  expect(it.record()).toMatchObject({ exit_code: 1, status: "failed", hooks: [] });
});
