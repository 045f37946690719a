import { describe, expect, test } from "bun:test";
import type { OwnProcesses, RepositoryLock } from "../../lib/restic/evidence.ts";
import {
  type Evidence,
  isStale,
  judgeLock,
  onlyTheseGo,
  type ProcessSeen,
} from "../../lib/restic/evidence.ts";
import { judged } from "../../lib/restic/locks.ts";

const NOW = Date.UTC(2026, 4, 11, 9, 0, 0);
const MINUTE = 60_000;

const lock = (minutes: number, hostname = "larak"): RepositoryLock => ({
  timeMs: NOW - minutes * MINUTE,
  exclusive: false,
  hostname,
  username: "root",
  pid: 35,
});
const judge = (held: RepositoryLock, seen: ProcessSeen, dead: OwnProcesses["dead"] = []) =>
  judgeLock(held, { hostname: "larak", nowMs: NOW, dead, inspect: () => seen });
/** A child of ours that lived from and until so many minutes ago. */
const ours = (from: number, until: number) => [
  { pid: 35, startedMs: NOW - from * MINUTE, knownMs: NOW - until * MINUTE, runId: "backup-1" },
];

const gone: ProcessSeen = { state: "gone" };
const zombie: ProcessSeen = { state: "zombie", name: "restic" };
const runs = (
  name: string,
  startedMinutesAgo: number | undefined,
  reachable = true,
  program = name,
): ProcessSeen => ({
  state: "runs",
  name,
  program,
  startedMs: startedMinutesAgo === undefined ? undefined : NOW - startedMinutesAgo * MINUTE,
  reachable,
});
const never: ProcessSeen = runs("nobody looks at another host's pid", 0);

describe("judgeLock", () => {
  test.each<[string, RepositoryLock, ProcessSeen, Evidence["verdict"], boolean, boolean]>([
    // what, lock, process, verdict, does restic's unlock remove it, does it harm somebody
    ["a restic of this name that was refreshed a minute ago", lock(1), gone, "unknown", true, true],
    ["the same by a clock that is behind", lock(-3), gone, "unknown", true, true],
    ["a killed restic of this host", lock(7), gone, "dead", true, false],
    ["the same, old", lock(45), gone, "dead", true, false],
    ["a zombie, fresh", lock(1), zombie, "unknown", false, false],
    ["a zombie, which restic takes for alive", lock(7), zombie, "dead", false, false],
    ["a zombie, old", lock(45), zombie, "dead", true, false],
    ["a living restic of this host", lock(1), runs("restic", 20), "living", false, false],
    ["a restic that has begun this moment", lock(0), runs("restic", 0), "living", false, false],
    ["a script in front of restic", lock(1), runs("restic", 20, true, "dash"), "living", false, true],
    ["a living one of another user", lock(1), runs("restic", 20, false), "living", true, true],
    ["a living one by another name", lock(1), runs("restic-0.19", 20), "living", false, false],
    ["a living one whose name is not known", lock(1), runs("a process", undefined), "living", false, true],
    ["a stranger that began before it", lock(10), runs("crond", 60), "living", false, true],
    [
      "a run of ours, whose name begins like restic's",
      lock(10),
      runs("restic-backup-helper", 60),
      "living",
      false,
      true,
    ],
    [
      "an old one whose pid is crond's: restic asks no pid of it",
      lock(45),
      runs("crond", 5),
      "dead",
      true,
      false,
    ],
    ["a fresh one whose pid is crond's now", lock(1), runs("crond", 0.5), "unknown", false, true],
    [
      "a fresh one whose pid is another user's now",
      lock(1),
      runs("crond", 0.5, false),
      "unknown",
      true,
      true,
    ],
    ["a living one that hangs", lock(45), runs("restic", 90), "old", true, false],
    ["a pid that is crond's now", lock(10), runs("crond", 5), "dead", false, true],
    ["a pid that is another user's now", lock(10), runs("crond", 5, false), "dead", true, false],
    ["a pid that is another restic's now", lock(10), runs("restic", 5), "living", false, false],
    ["another host's, fresh", lock(1, "elsewhere"), never, "unknown", false, false],
    ["another host's, about to come of age", lock(29.5, "elsewhere"), never, "unknown", true, false],
    ["another host's, old", lock(31, "elsewhere"), never, "old", true, false],
  ])("%s", (_, held, seen, verdict, goes, harms) => {
    const found = judge(held, seen);
    expect([found.verdict, found.goes, found.harm !== undefined]).toEqual([verdict, goes, harms]);
    expect(isStale(found)).toBe(verdict === "dead" || verdict === "old");
  });

  test("says why", () => {
    expect(judge(lock(7), gone).why).toBe("its process, pid 35, is gone from this host");
    expect(judge(lock(1), gone).why).toBe(
      "it was refreshed 1m ago: although its process, pid 35, is gone from this host, another machine or container " +
        "may be named larak too",
    );
    expect(judge(lock(1), runs("restic", 9)).why).toBe("restic (pid 35) is running on this host");
    expect(judge(lock(125, "elsewhere"), never).why).toBe(
      "not refreshed for 2h5m, and a running restic refreshes it every five minutes",
    );
    expect(judge(lock(10), runs("crond", 5))).toMatchObject({
      why: "its pid 35 belongs to crond now, which started after the lock was last refreshed",
      harm: "it would send SIGHUP to crond (pid 35), which it would take for the restic of this lock",
    });
    expect(judge(lock(1, "elsewhere"), never).why).toBe(
      "only elsewhere can tell whether its process still runs",
    );
  });
});

test.each<[string, RepositoryLock, ReturnType<typeof ours>, Evidence["verdict"]]>([
  ["it lived when the lock was refreshed", lock(1), ours(5, 0.5), "dead"],
  ["it was dead by then: the lock is of another with its pid", lock(1), ours(60, 30), "unknown"],
  ["it began later", lock(3), ours(2, 0), "unknown"],
  ["the lock is another host's", lock(1, "elsewhere"), ours(5, 0), "unknown"],
])("a child of ours that died proves the lock dead when %s", (_, held, dead, verdict) =>
  expect(judge(held, gone, dead).verdict).toBe(verdict),
);

test("says when time will tell", () => {
  expect(judge(lock(1), gone).staleInMs).toBe(5 * MINUTE);
  expect(judge(lock(10, "elsewhere"), never).staleInMs).toBe(20 * MINUTE);
  expect(judge(lock(7), gone).staleInMs).toBeUndefined();
});

test("of two locks with one pid, one may be another machine's: a death of ours proves neither", () => {
  const host = { hostname: "larak", nowMs: NOW, dead: ours(5, 0), inspect: () => gone };
  const verdicts = (...locks: RepositoryLock[]) =>
    judged(
      locks.map((held, at) => ({ id: String(at), lock: held })),
      host,
    ).map(({ evidence }) => evidence.verdict);
  expect(verdicts(lock(1))).toEqual(["dead"]);
  expect(verdicts(lock(1), lock(2))).toEqual(["unknown", "unknown"]);
  expect(verdicts(lock(1), lock(2, "elsewhere"))).toEqual(["dead", "unknown"]);
});

describe("onlyTheseGo", () => {
  const dead = judge(lock(7), gone);
  const fresh = judge(lock(1), gone);
  const living = judge(lock(1), runs("restic", 20));
  const foreign = judge(lock(1, "elsewhere"), never);
  const old = judge(lock(45, "elsewhere"), never);
  const reused = judge(lock(10), runs("crond", 5));
  const wary = judge(lock(7), zombie);
  test.each<[string, Evidence[], boolean, boolean]>([
    // what, when dead ones may go, when stale ones may
    ["nothing", [], false, false],
    ["a dead one", [dead], true, true],
    ["several dead ones", [dead, dead], true, true],
    ["a dead one beside living ones", [dead, living, foreign], true, true],
    ["a dead one beside one that may be alive", [dead, fresh], false, false],
    ["living ones", [living, foreign], false, false],
    ["a dead one beside an old one of another host", [dead, old], false, true],
    ["an old one of another host", [old], false, true],
    ["a dead one beside a pid that a stranger has now", [dead, reused], false, false],
    ["a dead one that restic takes for alive", [wary], false, false],
  ])("%s", (_, found, whenDead, whenStale) =>
    expect([onlyTheseGo(found, ({ verdict }) => verdict === "dead"), onlyTheseGo(found, isStale)]).toEqual([
      whenDead,
      whenStale,
    ]),
  );
});
