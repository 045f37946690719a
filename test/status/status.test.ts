// What status concludes, by tables. What it makes of real runs stands in test/workers/status.test.ts.
import { describe, expect, test } from "bun:test";
import { parseCron } from "../../lib/schedule/cron.ts";
import { changesIn } from "../../lib/state/changes.ts";
import { parseJobName, runsByJob } from "../../lib/state/history.ts";
import { worstVerdict } from "../../lib/state/jobs.ts";
import { type PastRecord, parseRecord } from "../../lib/state/record.ts";
import { judgeDue, lateAfter, parseCrontab } from "../../lib/state/schedules.ts";
import { formatHistory, lastRuns, sparkline } from "../../lib/status/overview.ts";
import { loadZone } from "../../lib/time/zone.ts";

const at = (text: string) => Date.parse(`${text}Z`) / 1000;

describe("how late a job may be", () => {
  test.each([
    [60, 120],
    [600, 120],
    [1200, 120],
    [3600, 360],
    [6 * 3600, 2160],
    [24 * 3600, 3600],
    [31 * 24 * 3600, 3600],
  ])("every %p s: %p s", (interval, slack) => expect(lateAfter(interval)).toBe(slack));
});

describe("overdue", () => {
  test.each([
    // Every six hours: 36 minutes of slack.
    ["0 */6 * * *", "UTC", "2026-05-11T06:00:03", "2026-05-11T11:59:00", "2026-05-11T12:00:00", false],
    ["0 */6 * * *", "UTC", "2026-05-11T06:00:03", "2026-05-11T12:36:00", "2026-05-11T12:00:00", false],
    ["0 */6 * * *", "UTC", "2026-05-11T06:00:03", "2026-05-11T12:36:01", "2026-05-11T12:00:00", true],
    ["* * * * *", "UTC", "2026-05-11T06:00:01", "2026-05-11T06:03:00", "2026-05-11T06:01:00", false],
    ["* * * * *", "UTC", "2026-05-11T06:00:01", "2026-05-11T06:03:01", "2026-05-11T06:01:00", true],
    ["0 3 * * sun", "UTC", "2026-05-10T03:00:01", "2026-05-16T23:00:00", "2026-05-17T03:00:00", false],
    ["0 3 1 * *", "UTC", "2026-05-01T03:00:01", "2026-06-01T04:30:00", "2026-06-01T03:00:00", true],
    // The night in which 02:30 does not come: the run of the day after counts.
    [
      "30 2 * * *",
      "Europe/Amsterdam",
      "2026-03-28T01:30:01",
      "2026-03-29T12:00:00",
      "2026-03-30T00:30:00",
      false,
    ],
    // Either day field is enough.
    ["0 0 13 * fri", "UTC", "2026-05-08T00:00:01", "2026-05-13T02:00:00", "2026-05-13T00:00:00", true],
    ["0 0 29 2 *", "UTC", "2026-05-08T00:00:01", "2028-02-28T00:00:00", "2028-02-29T00:00:00", false],
  ])("%s in %s after %s, at %s", (text, tz, started, now, expected, isOverdue) => {
    expect(judgeDue(parseCron(text), at(started), at(now), loadZone(tz))).toEqual({
      expected: at(expected),
      isOverdue,
    });
  });

  test("a day that never comes is never overdue", () => {
    const due = judgeDue(parseCron("0 0 30 2 *"), 0, at("2026-05-11T00:00:00"), loadZone("UTC"));
    expect(due).toEqual({ expected: undefined, isOverdue: false });
  });
});

test("jobs of a crontab", () => {
  const crontab = [
    "# a comment",
    "MAILTO=root",
    "0 */6 * * * /bin/locked_run backup /var/run/backup.lock /bin/backup >> /var/log/cron.log 2>&1",
    "  @daily locked_run restore-test /bin/restore-test",
    "* * * * * /usr/local/bin/locked_run check sh -c 'check; true'",
    "0 0 32 * * /bin/locked_run prune /bin/prune",
    "0 0 * * * /bin/unlocked_run forget /bin/forget",
    "0 0 * * * run-parts /etc/cron.daily",
    "",
  ].join("\n");
  const found = parseCrontab(crontab);
  expect(found.map(({ job, expression }) => [job, expression])).toEqual([
    ["backup", "0 */6 * * *"],
    ["restore-test", "@daily"],
    ["check", "* * * * *"],
    ["prune", "0 0 32 * *"],
  ]);
  expect(found.map(({ cron }) => cron !== undefined)).toEqual([true, true, true, false]);
  expect(found[3]?.problem).toBe('crond cannot read "0 0 32 * *": day of month "32" is outside of 1 to 31.');
});

test.each([
  [[], "OK"],
  [["WARN"], "WARN"],
  [["WARN", "FAIL", "WARN"], "FAIL"],
] as const)("%j is %s", (statuses, verdict) => {
  expect(worstVerdict(statuses.map((status) => ({ job: "x", status, kind: "x", message: "x" })))).toBe(
    verdict,
  );
});

const run = (fields: Record<string, unknown> = {}): PastRecord => ({
  status: "ok",
  exit_code: 0,
  started_epoch: 0,
  finished_epoch: 0,
  duration_seconds: 60,
  ...fields,
});
const runs = (count: number, fields: Record<string, unknown> = {}) =>
  Array.from({ length: count }, () => run(fields));

describe("suspicious changes", () => {
  const files = (count: number) => ({ total_files_processed: count });
  const fresh = (files_new: number, files_changed = 0) => ({ files_new, files_changed });

  test.each([
    ["none", [], []],
    ["one run", runs(1, files(10)), []],
    ["half of the files", [...runs(5, files(100)), run(files(50))], []],
    [
      "fewer than half",
      [...runs(5, files(100)), run(files(49))],
      [
        "fewer-files: it processed 49 files; the 5 runs before processed 100 (median). Is a part of the source not mounted?",
      ],
    ],
    [
      "no file at all, after one run",
      [run(files(100)), run(files(0))],
      [
        "fewer-files: it processed 0 files; the run before processed 100 (median). Is a part of the source not mounted?",
      ],
    ],
    ["the smaller source has become usual", [...runs(5, files(100)), ...runs(7, files(40))], []],
    [
      "a failure says nothing of files",
      [...runs(5, files(100)), run({ ...files(1), exit_code: 1, status: "failed" })],
      [],
    ],
    [
      "a warning does",
      [...runs(5, files(100)), run({ ...files(1), exit_code: 3, status: "warning" })],
      [
        "fewer-files: it processed 1 file; the 5 runs before processed 100 (median). Is a part of the source not mounted?",
      ],
    ],
    ["five times as long", [...runs(3), run({ duration_seconds: 300 })], []],
    [
      "more than that",
      [...runs(3), run({ duration_seconds: 301 })],
      [
        "slow: it took 5m1s; the 3 runs before took 1m (median). Is the repository slow, or has the source grown?",
      ],
    ],
    ["too few runs for a median", [...runs(2), run({ duration_seconds: 3600 })], []],
    ["seconds", [...runs(9, { duration_seconds: 0 }), run({ duration_seconds: 9 })], []],
    [
      "one long run before does not make it usual",
      [...runs(3), run({ duration_seconds: 9000 }), ...runs(3), run({ duration_seconds: 400 })],
      [
        "slow: it took 6m40s; the 7 runs before took 1m (median). Is the repository slow, or has the source grown?",
      ],
    ],
    [
      "nothing new in ten runs",
      [...runs(4, fresh(3, 2)), ...runs(10, fresh(0))],
      [
        "nothing-new: no file was new or changed in its last 10 runs; in each of the 4 before there were some (5, median). " +
          "Does the source still live where it is looked for?",
      ],
    ],
    ["in nine", [...runs(4, fresh(3)), ...runs(9, fresh(0))], []],
    [
      "a source that did not always change",
      [...runs(4, fresh(3)), run(fresh(0)), ...runs(2, fresh(1)), ...runs(10, fresh(0))],
      [],
    ],
    ["a job without files", runs(20), []],
    ["changed files count too", [...runs(4, fresh(3)), ...runs(9, fresh(0)), run(fresh(0, 1))], []],
  ] as const)("%s", (_, past, expected) => {
    expect(changesIn(past).map(({ kind, message }) => `${kind}: ${message}`)).toEqual([...expected]);
  });
});

describe("a record that is read again", () => {
  test.each([
    ["", undefined],
    ["null", undefined],
    ["[]", undefined],
    ['"text"', undefined],
    ['{"started_epoch":"1","finished_epoch":2,"exit_code":0}', undefined],
    ['{"started_epoch":1,"finished_epoch":2', undefined],
    [
      '{"started_epoch":1,"finished_epoch":4,"exit_code":12}',
      { status: "failed", exit_code: 12, duration_seconds: 3 },
    ],
    ['{"started_epoch":1,"finished_epoch":4,"exit_code":0}', { status: "ok", exit_code: 0 }],
    ['{"started_epoch":1,"finished_epoch":4,"status":"died"}', { status: "died", exit_code: -1 }],
    [
      '{"started_epoch":1,"finished_epoch":4,"exit_code":0,"status":"ok","duration_seconds":2,"files_new":7}',
      { duration_seconds: 2, files_new: 7 },
    ],
    ['{"started_epoch":1e300,"finished_epoch":5}', undefined],
    ['{"started_epoch":-1,"finished_epoch":5}', undefined],
    ['{"started_epoch":1,"finished_epoch":5,"duration_seconds":"x"}', { duration_seconds: 4 }],
  ])("%s", (text, expected) => {
    if (expected === undefined) expect(parseRecord(text)).toBeUndefined();
    else expect(parseRecord(text)).toMatchObject(expected);
  });
});

test("hooks that are none are not counted", () => {
  const line =
    '{"job":"backup","started_epoch":1,"finished_epoch":5,"exit_code":0,"hooks":[null,7,{"exit_code":0}]}';
  expect(formatHistory(lastRuns([line], undefined), loadZone("UTC"))).toContain("1 ok");
});

describe("runs of the history", () => {
  const line = (job: string, started_epoch: number) =>
    JSON.stringify({
      schema: "restic-backup-helper.run/1",
      job,
      started_epoch,
      finished_epoch: 1,
      exit_code: 0,
    });
  const lines = [
    line("backup", 1),
    line("check", 2),
    "half a line",
    line("backup", 3),
    line("backup", 4),
    '{"job":"backup"}',
  ];

  test("the newest of each job, the last one last", () => {
    const past = runsByJob(lines, ["backup", "check", "prune"], 2);
    const found = [...past].map(([job, of]) => [job, of.map((each) => each.started_epoch)]);
    expect(found).toEqual([
      ["backup", [3, 4]],
      ["check", [2]],
      ["prune", []],
    ]);
  });

  test("what did nothing takes no run's place", () => {
    const other = (status: string, exit_code: number) =>
      JSON.stringify({ job: "backup", started_epoch: 9, finished_epoch: 9, exit_code, status });
    const nothing = [
      ...Array.from({ length: 10 }, () => other("skipped", 75)),
      other("dry-run", 0),
      other("cancelled", 1),
      other("window_closed", 75),
    ];
    const mixed = lines.flatMap((each) => [each, ...nothing]);
    const found = runsByJob(mixed, ["backup"], 2).get("backup");
    expect(found?.map((each) => each.started_epoch)).toEqual([3, 4]);
    expect(runsByJob(mixed, ["backup"], 30).get("backup")).toHaveLength(3);
  });

  test("a path cannot pretend to be a job", () => {
    expect(parseJobName(JSON.stringify({ job: "check", source: '"job":"backup"' }))).toBe("check");
    expect(parseJobName("")).toBeUndefined();
  });

  test("skips in a row are one row, and hide no run", () => {
    const skip = (started_epoch: number, job = "backup") =>
      JSON.stringify({ job, started_epoch, finished_epoch: started_epoch, exit_code: 75, status: "skipped" });
    const past = [
      line("backup", 1),
      skip(2),
      skip(3),
      ...Array.from({ length: 200 }, (_, n) => [skip(10 + n), skip(10 + n, "check")]).flat(),
      line("check", 300),
      skip(301),
      line("backup", 302),
      skip(303),
      skip(304, "check"),
    ];
    const rows = lastRuns(past, undefined).map(({ job, run, times }) => [job, run.started_epoch, times]);
    expect(rows).toEqual([
      ["backup", 1, 1],
      ["check", 209, 200],
      ["check", 300, 1],
      ["backup", 301, 203],
      ["backup", 302, 1],
      ["backup", 303, 1],
      ["check", 304, 1],
    ]);
    expect(formatHistory(lastRuns(past, "backup"), loadZone("UTC"))).toContain("skipped 203 times");
  });

  test("as a table", () => {
    const hooks = [{ exit_code: 0 }, { exit_code: 1 }];
    const past = [
      {
        job: "backup",
        started_epoch: 0,
        finished_epoch: 60,
        exit_code: 0,
        status: "ok",
        data_added_bytes: 1024,
        total_bytes_processed: 4096,
        hooks: [{ exit_code: 0 }],
      },
      {
        job: "backup",
        started_epoch: 3600,
        finished_epoch: 3600,
        exit_code: 75,
        status: "skipped",
        hooks: [],
      },
      { job: "backup", started_epoch: 7200, finished_epoch: 7320, exit_code: 12, status: "failed", hooks },
      {
        job: "backup",
        started_epoch: 9000,
        finished_epoch: 9120,
        exit_code: 0,
        status: "ok",
        data_added_bytes: 2048,
        total_bytes_processed: 4096,
        hooks: [{ exit_code: 124, timed_out: true }],
      },
      { job: "check", started_epoch: 9200, finished_epoch: 9300, status: "died", hooks: [] },
    ];
    const text = formatHistory(
      lastRuns(
        past.map((each) => JSON.stringify(each)),
        undefined,
      ),
      loadZone("UTC"),
    );
    expect(text).toMatchInlineSnapshot(`
      "START                JOB     DURATION  RESULT     DATA ADDED  HOOKS
      1970-01-01 00:00:00  backup  1m        ok         1.000 KiB   1 ok
      1970-01-01 01:00:00  backup  -         skipped    -           -
      1970-01-01 02:00:00  backup  2m        failed 12  -           1 of 2 failed
      1970-01-01 02:30:00  backup  2m        ok         2.000 KiB   1 of 1 timed out
      1970-01-01 02:33:20  check   -         died       -           -

      backup  duration    ▅██  1m to 2m
      backup  data added  ▅ █  1.000 KiB to 2.000 KiB
      backup  size        █ █  4.000 KiB to 4.000 KiB
      "
    `);
    expect(
      lastRuns(
        past.map((each) => JSON.stringify(each)),
        "check",
      ),
    ).toHaveLength(1);
  });
});

test.each([
  [[], ""],
  [[0, 0], "▁▁"],
  [[0, 1], "▁█"],
  [[7, undefined, 14], "▅ █"],
  [[1, 2, 3, 4, 5, 6, 7], "▂▃▄▅▆▇█"],
  [[-5, 10], "▁█"],
])("%j draws %j", (values, drawn) => expect(sparkline(values)).toBe(drawn));
