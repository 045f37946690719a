import { describe, expect, test } from "bun:test";
import { nearest } from "../lib/nearest.ts";

const WORKERS = [
  "backup",
  "check",
  "forget",
  "prune",
  "replicate",
  "restore-test",
  "status",
  "doctor",
  "mount",
];

describe("nearest worker", () => {
  test.each<[string, string | undefined]>([
    ["backup", "backup"],
    ["bakcup", "backup"],
    ["backpu", "backup"],
    ["bakup", "backup"],
    ["BACKUP", "backup"],
    ["chekc", "check"],
    ["replciate", "replicate"],
    ["restor-tset", "restore-test"],
    ["restortest", "restore-test"],
    ["replikates", "replicate"],
    ["docter", "doctor"],
    ["mont", "mount"],
    ["snapshots", undefined],
    ["x", undefined],
    ["", undefined],
    ["backupbackup", undefined],
    ["ckech", "check"],
  ])("%j", (word, wanted) => expect(nearest(word, WORKERS)).toBe(wanted as string));
});

test("the nearer one wins, of equals the first", () => {
  expect(nearest("FORGET_CRO", ["FORGET_ARGS", "FORGET_CRON"])).toBe("FORGET_CRON");
  expect(nearest("cat", ["bat", "car", "rat"])).toBe("bat");
  expect(nearest("car", ["bat", "car"])).toBe("car");
});

test("words that share nothing are not near, however short", () => {
  expect(nearest("ab", ["xy"])).toBeUndefined();
  expect(nearest("a", ["b", "xy"])).toBeUndefined();
  expect(nearest("ls", ["ps"])).toBe("ps");
});

test("a third of a long word may be wrong", () => {
  expect(nearest("RESTIC_CHEK_REPOSITRY_STATE", ["RESTIC_CHECK_REPOSITORY_STATUS"])).toBe(
    "RESTIC_CHECK_REPOSITORY_STATUS",
  );
});

test("no candidates", () => expect(nearest("backup", [])).toBeUndefined());
