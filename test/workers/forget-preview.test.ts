import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { Snapshots } from "../support/snapshots.ts";
import { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots?.[Symbol.dispose]());

/** Everything that a forget or a prune would change: snapshots, packs, indexes. */
const holdings = (world: World) =>
  ["snapshots", "data", "index", "locks"].map((part) =>
    readdirSync(join(world.dir, "repository", part), { recursive: true, encoding: "utf8" }).sort(),
  );

/** What the table says: verdict, id and reasons of each row. */
function rows(stdout: string): string[] {
  const row =
    /INFO {2}forget-preview {2}(keep|remove) +([0-9a-f]{8}) .* (?:none|automated|other,extra) +\S+ *(.*)$/gm;
  return [...stdout.matchAll(row)].map(([, verdict, id, why]) => `${verdict} ${id} ${why}`.trimEnd());
}

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "forget-preview with restic %s",
  (_, path) => {
    test("says what becomes of every snapshot, as restic's own JSON has it", async () => {
      using world = snapshots.open(path);
      const policy = "--keep-last 1 --keep-monthly 2";
      const { code, stdout, stderr } = await world.run("forget-preview", [], {
        env: { RESTIC_FORGET_ARGS: policy },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`What ${policy} would make of all snapshots. Nothing is deleted.`);
      expect(rows(stdout)).toEqual([
        `remove ${snapshots.short(0)}`,
        `remove ${snapshots.short(1)}`,
        `keep ${snapshots.short(2)} monthly snapshot`,
        `keep ${snapshots.short(3)} last snapshot, monthly snapshot`,
      ]);
      expect(stdout).toMatch(
        / {2}host otherhost, \S+\/data\/docs: 1 would be kept and 0 removed\.\n.* Of 5 snapshots 3 would be kept and 2 removed\.\n/,
      );
      expect(world.record("forget-preview")).toMatchObject({
        status: "ok",
        policy,
        snapshots_kept: 3,
        snapshots_to_remove: 2,
      });

      const words = ["forget", "--dry-run", "--json", "--host", "testhost", ...policy.split(" ")];
      const [group] = JSON.parse((await world.exec(["restic", ...words])).stdout);
      const ids = (list: { id: string }[]) => list.map(({ id }) => id.slice(0, 8)).sort();
      const told = (verdict: string) =>
        rows(stdout)
          .flatMap((line) => (line.startsWith(verdict) ? [line.split(" ")[1]!] : []))
          .sort();
      expect(told("keep")).toEqual(ids(group.keep));
      expect(told("remove")).toEqual(ids(group.remove));
    });

    test.each([
      "--keep-last 1 --prune",
      "--keep-last=1 --prune=true --max-unused 0",
      "--dry-run=false --keep-last 1 --prune",
      "-n=false -l 1 -cn=false --prune",
      "-l1 --prune -- --dry-run=false",
      "--unsafe-allow-remove-all --prune",
    ])("%p deletes nothing", async (policy) => {
      using world = snapshots.open(path);
      const before = holdings(world);
      expect(before.map((part) => part.length)).toEqual([5, expect.any(Number), expect.any(Number), 0]);
      const { stderr } = await world.run("forget-preview", [`--policy=${policy}`, "--repo-wide"]);
      expect(stderr).toBe("");
      expect(holdings(world)).toEqual(before);
    });

    test("--repo-wide looks at all hosts and tags", async () => {
      using world = snapshots.open(path);
      const { code, stdout } = await world.run("forget-preview", [
        "--policy",
        "--keep-last 3",
        "--repo-wide",
      ]);
      expect(code).toBe(0);
      expect(stdout).toContain("What --keep-last 3 would make of all snapshots.");
      expect(stdout).toContain("Of 5 snapshots 4 would be kept and 1 removed.");
      expect(rows(stdout)).toContain(`keep ${snapshots.short(-1)} last snapshot`);
    });

    test("none matches: says so, counts none", async () => {
      using world = snapshots.open(path);
      const { code, stdout } = await world.run("forget-preview", [
        "--policy",
        "--keep-last 1",
        "--host",
        "nobody",
      ]);
      expect(code).toBe(0);
      expect(stdout).toContain("WARN  forget-preview  restic names no snapshot");
      expect(world.record("forget-preview")).toMatchObject({ snapshots_kept: 0, snapshots_to_remove: 0 });
    });

    test("--host and --tag narrow it, and say what forget itself does", async () => {
      using world = snapshots.open(path);
      const { code, stdout } = await world.run("forget-preview", ["--host=testhost", "--policy=-l1"]);
      expect(code).toBe(0);
      expect(stdout).toContain("What -l1 would make of snapshots of host testhost. Nothing is deleted.");
      expect(stdout).toContain(
        "Looked at by --host=testhost: forget itself applies the policy to all snapshots.",
      );
      expect(stdout).toContain("Of 4 snapshots 1 would be kept and 3 removed.");
    });

    test("RESTIC_FORGET_SCOPE=host: what forget does then", async () => {
      using world = snapshots.open(path);
      const { code, stdout } = await world.run("forget-preview", ["--policy", "--keep-last 1"], {
        env: { RESTIC_FORGET_SCOPE: "host" },
      });
      expect(code).toBe(0);
      expect(stdout).toContain(
        "What --keep-last 1 would make of snapshots with tag automated of host testhost. Nothing is deleted.",
      );
      expect(stdout).not.toContain("Looked at by");
      expect(stdout).toContain("Of 4 snapshots 1 would be kept and 3 removed.");
    });
  },
);

test("--extra is added; a filter in the policy takes the place of ours", async () => {
  using world = snapshots.open(restic.path);
  const { code, stdout } = await world.run("forget-preview", ["--extra", "--host otherhost --tag=other"], {
    env: { RESTIC_FORGET_ARGS: "--keep-last 1" },
  });
  expect(code).toBe(0);
  expect(stdout).toContain("What --keep-last 1 --host otherhost --tag=other would make of all snapshots.");
  expect(rows(stdout)).toEqual([`keep ${snapshots.short(-1)} last snapshot`]);
});

test.each<[string, Record<string, string>, string]>([
  ["none", {}, "There is no policy. Set RESTIC_FORGET_ARGS, or give --policy"],
  ["an empty one", { RESTIC_FORGET_ARGS: "" }, "There is no policy."],
  [
    "one that keeps nothing",
    { RESTIC_FORGET_ARGS: "--prune" },
    "The policy keeps nothing: --prune. Add what to keep",
  ],
  [
    "a word that is not a flag",
    { RESTIC_FORGET_ARGS: "keep-daily 7" },
    "The policy: keep-daily is not a flag.",
  ],
  [
    "a flag that is none",
    { RESTIC_FORGET_ARGS: "--keep-lost 1" },
    "The policy: restic forget has no flag --keep-lost",
  ],
  [
    "an open quote",
    { RESTIC_FORGET_ARGS: "--keep-tag 'x" },
    "RESTIC_FORGET_ARGS: the ' at character 12 is never closed",
  ],
  [
    "an empty tag",
    { RESTIC_FORGET_ARGS: "-l1", RESTIC_TAG: "" },
    "RESTIC_TAG is empty. Give --tag, or --repo-wide",
  ],
])("a policy of %s: exit 2, recorded, restic is not called", async (_, env, words) => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  const { code, stdout } = await world.run("forget-preview", [], { env });
  expect({ code, called: world.has("calls") }).toEqual({ code: 2, called: false });
  expect(stdout).toContain(`ERROR forget-preview  ${words}`);
  expect(world.record("forget-preview")).toMatchObject({ exit_code: 2, status: "failed" });
});

test.each<[string[], string]>([
  [["--tag", ""], "--tag and --host need a value here. --repo-wide looks at all snapshots."],
  [["--host", " "], "--tag and --host need a value here."],
  [["--repo-wide", "--host", "x"], "give one of them"],
  [["--policy", '"open'], '--policy: the " at character 1 is never closed'],
  [["--policy", "--repo-wide"], "--policy needs a value"],
  [["--policy"], "--policy needs a value"],
  [["--keep-last", "1"], "The flag --keep-last is unknown"],
])("%j: exit 2 on stderr, nothing done", async (args, words) => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  const { code, stdout, stderr } = await world.run("forget-preview", args);
  expect({ code, stdout, called: world.has("calls") }).toEqual({ code: 2, stdout: "", called: false });
  expect(stderr).toContain(words);
});
