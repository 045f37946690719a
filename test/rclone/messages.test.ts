import { expect, test } from "bun:test";
import { exitText, parseComplaint } from "../../lib/rclone/rclone.ts";
import { formatStats, parseLine } from "../../lib/rclone/stats.ts";

test.each<[string, string]>([
  ["plain words", "plain words"],
  ["{not json", "{not json"],
  ['{"other":"json"}', '{"other":"json"}'],
  ['{"level":"warning","msg":"careful","source":"x.go:1"}', "careful"],
  ['{"level":"notice","msg":"careful"}', "careful"],
  ['{"level":"info","msg":"Copied (new)","object":"a b"}', "a b: Copied (new)"],
  ['{"level":"error","msg":"not found","object":"x","objectType":"*local.Object"}', "ERROR: x: not found"],
  ['{"level":"critical","msg":"Failed"}', "CRITICAL: Failed"],
  ['{"level":"toString","msg":"odd","stats":null}', "odd"],
  ['{"level":"constructor","msg":"shown","stats":null}', "shown"],
  ['{"level":{"toString":5},"msg":"shown","stats":"x"}', "shown"],
  [
    '{"level":"error","msg":"\\u001b[31mred \\n\\u001b[0m\\n  \\u001b[36mblue\\u001b[0m\\n"}',
    "ERROR: red\n  blue",
  ],
  [
    "2026/11/23 17:27:35 Failed to copy: directory not found",
    "2026/11/23 17:27:35 Failed to copy: directory not found",
  ],
])("parseLine %j", (line, text) => expect(parseLine(line)).toEqual({ text }));

test("statistics are numbers, whatever is missing", () => {
  const stats = { bytes: 2, totalBytes: 4, transfers: 1, totalTransfers: 2, deletes: 3, speed: 1.5, eta: 7 };
  expect(parseLine(JSON.stringify({ level: "error", msg: "\nTransferred: …\n", stats }))).toMatchObject({
    stats,
  });
  expect(parseLine('{"msg":"","stats":{"eta":null,"bytes":"2"}}').stats).toEqual({
    bytes: 0,
    totalBytes: 0,
    transfers: 0,
    totalTransfers: 0,
    deletes: 0,
    speed: 0,
    eta: null,
  });
});

// The words are rclone 1.60's and 1.75's own.
test.each<[string, ReturnType<typeof parseComplaint>]>([
  ["Copied (new)", {}],
  ["Bisync aborted. Must run --resync to recover.", {}],
  [
    "Bisync critical error: cannot find prior Path1 or Path2 listings, likely due to critical error on prior run",
    { noListings: true },
  ],
  [
    "ERROR: Bisync critical error: cannot find prior Path1 or Path2 listings, likely due to critical error on prior run\n" +
      "Tip: here are the filenames we were looking for. Do they exist?\n" +
      "Path1: /root/.cache/rclone/bisync/a b..c.path1.lst\nPath2: /root/.cache/rclone/bisync/a b..c.path2.lst",
    { noListings: true, listing: "/root/.cache/rclone/bisync/a b..c.path1.lst" },
  ],
  ["ERROR: Access test failed: Path1 count 0, Path2 count 0 - RCLONE_TEST", { noAccess: true }],
  ["ERROR: Bisync critical error: check file check failed", { noAccess: true }],
  ["2026/11/23 17:33:22 Failed to bisync: prior lock file found: /w/a b.lck", { lockFile: "/w/a b.lck" }],
  ["Failed to bisync: prior lock file found: /w/a.lck\nTip: this indicates that …", { lockFile: "/w/a.lck" }],
  ["ERROR: Bisync critical error: empty prior Path1 listing: /w/a.lst", { badListings: true }],
  ["ERROR: Bisync critical error: filters file has changed (must run --resync): /f", { badListings: true }],
  ["filters file md5 hash not found (must run --resync): /f", { noListings: true }],
  ['ERROR: Safety abort: too many deletes (>50%, 4 of 6) on Path2 "b/". Run with --force', { tooMany: true }],
  ["Safety abort: all files were changed on Path1. Run with --force if desired.", { tooMany: true }],
  ["ERROR: Empty current Path2 listing. Cannot sync to an empty directory: x", { emptySide: "Path2" }],
  ["Failed to bisync: modification time support is missing on path2", { noTimes: "path2" }],
  ["ERROR: f6: Got fatal error on delete: --max-delete threshold reached", { maxDelete: true }],
])("parseComplaint %j", (text, complaint) => expect(parseComplaint(text)).toEqual(complaint));

test("exitText says what a code means where that is known", () => {
  expect(exitText(1)).toBe("(exit 1)");
  expect(exitText(3)).toBe("(exit 3: the folder was not found)");
});

test("formatStats", () => {
  const stats = {
    bytes: 512,
    totalBytes: 2048,
    transfers: 1,
    totalTransfers: 4,
    deletes: 0,
    speed: 0,
    eta: null,
  };
  expect(formatStats(stats)).toBe("25% done, 512 B of 2.000 KiB, 1 of 4 files");
  expect(formatStats({ ...stats, speed: 100.4, eta: 65 })).toBe(
    "25% done, 512 B of 2.000 KiB, 100 B/s, 1m5s left, 1 of 4 files",
  );
  expect(formatStats({ ...stats, totalBytes: 0, bytes: 0 })).toStartWith("0% done, 0 B of 0 B");
});
