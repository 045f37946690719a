import { describe, expect, test } from "bun:test";
import type { RepositoryLock } from "../../lib/restic/evidence.ts";
import {
  type Evidence,
  evidenceOf,
  isStale,
  onlyDeadGo,
  type ProcessSeen,
} from "../../lib/restic/evidence.ts";

const NOW = Date.UTC(2026, 4, 11, 9, 0, 0);
const MINUTE = 60_000;

const lock = (minutes: number, hostname = "larak"): RepositoryLock => ({
  timeMs: NOW - minutes * MINUTE,
  exclusive: false,
  hostname,
  username: "root",
  pid: 35,
});
const judge = (held: RepositoryLock, seen: ProcessSeen) =>
  evidenceOf(held, { hostname: "larak", nowMs: NOW, inspect: () => seen });

const gone: ProcessSeen = { state: "gone" };
const zombie: ProcessSeen = { state: "zombie", name: "restic" };
const runs = (name: string, startedMinutesAgo: number | undefined, reachable = true): ProcessSeen => ({
  state: "runs",
  name,
  startedMs: startedMinutesAgo === undefined ? undefined : NOW - startedMinutesAgo * MINUTE,
  reachable,
});
const never: ProcessSeen = runs("nobody looks at another host's pid", 0);

describe("evidenceOf", () => {
  test.each<[string, RepositoryLock, ProcessSeen, Evidence["verdict"], boolean, boolean]>([
    // what, lock, process, verdict, does restic's unlock remove it, does it harm somebody
    ["a killed restic of this host", lock(1), gone, "dead", true, false],
    ["the same, old", lock(45), gone, "dead", true, false],
    ["a zombie, which restic takes for alive", lock(1), zombie, "dead", false, false],
    ["a zombie, old", lock(45), zombie, "dead", true, false],
    ["a living restic of this host", lock(1), runs("restic", 20), "living", false, false],
    ["a restic that has begun this moment", lock(0), runs("restic", 0), "living", false, false],
    ["a living one of another user", lock(1), runs("restic", 20, false), "living", true, true],
    ["a living one by another name", lock(1), runs("restic-0.19", 20), "living", false, false],
    ["a living one whose start is not known", lock(1), runs("a process", undefined), "living", false, false],
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
    expect(judge(lock(1), gone).why).toBe("its process, pid 35, is gone from this host");
    expect(judge(lock(1), runs("restic", 9)).why).toBe("restic (pid 35) is running on this host");
    expect(judge(lock(125, "elsewhere"), never).why).toBe(
      "not refreshed for 2h5m, and a running restic refreshes it every five minutes",
    );
    expect(judge(lock(10), runs("crond", 5))).toMatchObject({
      why: "its pid 35 belongs to crond now, which started after the lock was last refreshed",
      harm: "it would send SIGHUP to crond (pid 35), which it would mistake for the restic that died",
    });
    expect(judge(lock(1, "elsewhere"), never).why).toBe(
      "only elsewhere can tell whether its process still runs",
    );
  });
});

describe("onlyDeadGo", () => {
  const dead = judge(lock(1), gone);
  const living = judge(lock(1), runs("restic", 20));
  const foreign = judge(lock(1, "elsewhere"), never);
  const old = judge(lock(45, "elsewhere"), never);
  const reused = judge(lock(10), runs("crond", 5));
  const wary = judge(lock(1), zombie);
  test.each<[string, Evidence[], boolean]>([
    ["nothing", [], false],
    ["a dead one", [dead], true],
    ["several dead ones", [dead, dead], true],
    ["a dead one beside living ones", [dead, living, foreign], true],
    ["living ones", [living, foreign], false],
    ["a dead one beside an old one of another host", [dead, old], false],
    ["an old one of another host", [old], false],
    ["a dead one beside a pid that a stranger has now", [dead, reused], false],
    ["a dead one that restic takes for alive", [wary], false],
  ])("%s", (_, found, expected) => expect(onlyDeadGo(found)).toBe(expected));
});
