import { describe, expect, test } from "bun:test";
import { gravity, recordIn } from "../../lib/doctor/runs.ts";

describe("a record", () => {
  test("of ours, and of an older release that told less", () => {
    const full = { exit_code: 3, status: "warning", finished_epoch: 5, duration_seconds: 2, job: "backup" };
    expect(recordIn(JSON.stringify(full))).toEqual({
      exit_code: 3,
      status: "warning",
      finished_epoch: 5,
      duration_seconds: 2,
    });
    expect(recordIn('{"exit_code":0,"finished_epoch":5}')).toMatchObject({ exit_code: 0, finished_epoch: 5 });
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
  ])("%j is none", (text) => expect(recordIn(text)).toBeUndefined());
});

test.each([
  ["ok", 0, "OK", "OK"],
  ["warning", 3, "WARN", "WARN"],
  ["failed", 1, "FAIL", "WARN"],
  ["timed_out", 124, "FAIL", "WARN"],
  ["interrupted", 143, "WARN", "WARN"],
  ["cancelled", 130, "INFO", "INFO"],
  ["a status of tomorrow", 0, "WARN", "WARN"],
  [undefined, 0, "OK", "OK"],
  [undefined, 1, "FAIL", "WARN"],
] as const)("%s, exit %d: %s where it is scheduled, else %s", (status, exit_code, scheduled, not) => {
  const record = { exit_code, status, finished_epoch: 1 };
  expect([gravity(record, true), gravity(record, false)]).toEqual([scheduled, not]);
});
