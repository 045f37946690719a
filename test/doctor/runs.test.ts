import { describe, expect, test } from "bun:test";
import { judgeResult } from "../../lib/state/jobs.ts";
import { parseRecord } from "../../lib/state/record.ts";

describe("a record", () => {
  test("of ours, and of an older release that wrote less", () => {
    const full = { exit_code: 3, status: "warning", finished_epoch: 5, duration_seconds: 2, job: "backup" };
    expect(parseRecord(JSON.stringify(full))).toMatchObject({
      exit_code: 3,
      status: "warning",
      finished_epoch: 5,
      duration_seconds: 2,
    });
    expect(parseRecord('{"exit_code":0,"finished_epoch":5}')).toMatchObject({
      exit_code: 0,
      status: "ok",
      started_epoch: 5,
      finished_epoch: 5,
      duration_seconds: 0,
    });
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    "7",
    '"x"',
    '{"exit_code":"0","finished_epoch":5}',
    '{"exit_code":0}',
    '{"exit_code":0,"finished_epoch":1e300}',
    "\u0000",
  ])("%j is none", (text) => expect(parseRecord(text)).toBeUndefined());
});

test.each([
  ["ok", 0, "OK", "OK"],
  ["warning", 3, "WARN", "WARN"],
  ["warning", 0, "WARN", "WARN"],
  ["dry-run", 0, "INFO", "INFO"],
  ["failed", 1, "FAIL", "WARN"],
  ["timed_out", 124, "FAIL", "WARN"],
  ["interrupted", 143, "WARN", "WARN"],
  ["cancelled", 130, "INFO", "INFO"],
  ["a status of tomorrow", 0, "WARN", "WARN"],
  ["a status of tomorrow", 1, "FAIL", "WARN"],
  [undefined, 0, "OK", "OK"],
  [undefined, 1, "FAIL", "WARN"],
] as const)("%s, exit %d: %s where it is scheduled, else %s", (status, exit_code, scheduled, not) => {
  const record = parseRecord(JSON.stringify({ exit_code, status, finished_epoch: 1 }));
  if (record === undefined) throw new Error("no record");
  expect([judgeResult(record, true), judgeResult(record, false)]).toEqual([scheduled, not]);
});

test("interrupted after its work had succeeded: good", () => {
  const record = { status: "interrupted", exit_code: 143, work_exit_code: 0 };
  expect([judgeResult(record, true), judgeResult(record, false)]).toEqual(["OK", "OK"]);
  expect(judgeResult({ ...record, work_exit_code: 1 }, true)).toBe("WARN");
});
