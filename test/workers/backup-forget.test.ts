/** What follows a backup: the retention policy after a good one, unlocking after a failed one. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

/** A restic that exits with `codes[subcommand]`, or 0, and notes its words in `calls`. */
function world(codes: Record<string, number>): World {
  const it = new World();
  const cases = Object.entries(codes).map(([name, code]) => `${name}) exit ${code} ;;`);
  it.restic(`echo "$*" >> ${it.dir}/calls\ncase $1 in ${cases.join(" ")} *) exit 0 ;; esac`);
  return it;
}

/** The first words of restic's calls. */
const calls = (it: World) =>
  it
    .read("calls")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[0]);

describe("forget runs after exit 0, with a policy, without FORGET_CRON", () => {
  const policy = { RESTIC_FORGET_ARGS: "--keep-daily 7 --tag 'a b'" };
  test.each<[string, number, Record<string, string>, string[]]>([
    ["a policy", 0, policy, ["backup", "forget"]],
    ["no policy", 0, {}, ["backup"]],
    ["an empty policy", 0, { RESTIC_FORGET_ARGS: "  " }, ["backup"]],
    ["a schedule of its own", 0, { ...policy, FORGET_CRON: "0 5 * * *" }, ["backup"]],
    ["an empty schedule", 0, { ...policy, FORGET_CRON: "" }, ["backup", "forget"]],
    ["unreadable files", 3, policy, ["backup"]],
    ["a failed backup", 1, policy, ["backup"]],
  ])("%s", async (_, code, env, called) => {
    using it = world({ backup: code });
    const result = await it.run("backup", [], { env });
    expect({ code: result.code, stderr: result.stderr, called: calls(it) }).toEqual({
      code,
      stderr: "",
      called,
    });
    const forgot = called.includes("forget");
    expect(it.record().forget_exit_code).toBe(forgot ? 0 : undefined);
    if (forgot) expect(it.read("calls")).toContain("forget --json --keep-daily 7 --tag a b\n");
  });
});

test.each<[number, number, string, RegExp]>([
  [0, 0, "ok", /Applying the retention policy/],
  [1, 1, "failed", /only the retention policy was not applied/],
  [3, 3, "failed", /restic forget failed \(exit 3\)/],
  [11, 0, "warning", /Forgetting was skipped, because the repository is locked/],
])("forget exits with %d: the run with %d, %s", async (forgetExit, code, status, words) => {
  using it = world({ forget: forgetExit });
  const result = await it.run("backup", [], {
    env: { RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_AUTO_UNLOCK: "ON" },
  });
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: "" });
  expect(result.stdout).toMatch(words);
  expect(it.record()).toMatchObject({ exit_code: code, status, forget_exit_code: forgetExit });
  // Locks are looked at, and there are none.
  const looks = forgetExit === 0 ? [] : forgetExit === 11 ? ["list"] : ["cat", "list"];
  expect(calls(it)).toEqual(["backup", "forget", ...looks]);
});

describe("stale locks are looked for after a failure, when the operator allows it and the repository was opened", () => {
  test.each<[number, string | undefined, string[]]>([
    [0, "ON", ["backup"]],
    [1, "ON", ["backup", "cat", "list"]],
    [1, "on", ["backup", "cat", "list"]],
    [1, "OFF", ["backup"]],
    [1, undefined, ["backup"]],
    [1, "yes", ["backup"]],
    [3, "ON", ["backup"]],
    [10, "ON", ["backup"]],
    [11, "ON", ["backup", "list"]],
    [12, "ON", ["backup"]],
    [130, "ON", ["backup", "cat", "list"]],
  ])("exit %d, RESTIC_AUTO_UNLOCK=%s", async (code, setting, called) => {
    using it = world({ backup: code, unlock: 1 });
    const result = await it.run("backup", [], { env: { RESTIC_AUTO_UNLOCK: setting } });
    expect({ code: result.code, called: calls(it) }).toEqual({ code, called });
    const hinted = result.stdout.includes("No lock was removed (RESTIC_AUTO_UNLOCK is OFF)");
    expect(hinted).toBe(code === 1 && !called.includes("list"));
    if (setting === "yes")
      expect(result.stdout).toContain("RESTIC_AUTO_UNLOCK=yes is none of OFF, ON, STALE; OFF is used.");
  });
});
