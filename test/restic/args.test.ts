import { describe, expect, test } from "bun:test";
import { type BackupWords, backupArgs, globalArgs } from "../../lib/restic/backup-args.ts";

describe("backupArgs", () => {
  const of = (words: Partial<BackupWords>) =>
    backupArgs({ tag: "t", host: undefined, jobArgs: [], roots: [], ...words });

  test.each<[string, Partial<BackupWords>, string[]]>([
    ["one root", { roots: ["/data"] }, ["backup", "--json", "--tag", "t", "--", "/data"]],
    ["several roots", { roots: ["/a", "/b c"] }, ["backup", "--json", "--tag", "t", "--", "/a", "/b c"]],
    ["a root like a flag", { roots: ["--dry-run"] }, ["backup", "--json", "--tag", "t", "--", "--dry-run"]],
    ["a host", { host: "h", roots: ["/d"] }, ["backup", "--json", "--tag", "t", "--host", "h", "--", "/d"]],
    ["an empty host", { host: "", roots: ["/d"] }, ["backup", "--json", "--tag", "t", "--", "/d"]],
    [
      "job words only",
      { jobArgs: ["--files-from", "/f"] },
      ["backup", "--json", "--tag", "t", "--files-from", "/f"],
    ],
    [
      "job words before the roots",
      { jobArgs: ["-x"], roots: ["/d"] },
      ["backup", "--json", "--tag", "t", "-x", "--", "/d"],
    ],
    [
      "the operator's own --",
      { jobArgs: ["--", "/a"], roots: ["/d"] },
      ["backup", "--json", "--tag", "t", "--", "/a", "/d"],
    ],
    ["a tag of several words", { tag: "a b" }, ["backup", "--json", "--tag", "a b"]],
  ])("%s", (_, words, args) => expect(of(words)).toEqual(args));
});

test("globalArgs", () => {
  expect(globalArgs(undefined)).toEqual([]);
  expect(globalArgs("/ca.pem")).toEqual(["--cacert", "/ca.pem"]);
});
