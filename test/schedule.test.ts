import { describe, expect, test } from "bun:test";
import { Settings } from "../lib/config/settings.ts";
import { type Variable, variables } from "../lib/config/variables.ts";
import { ConfigError } from "../lib/errors.ts";
import { findLinked } from "../lib/run/command.ts";
import { plannedJobs, readCrontabLine, readPlaces, renderCrontab } from "../lib/schedule/schedule.ts";
import { table } from "../lib/workers/index.ts";

const settings = (env: Record<string, string>) =>
  new Settings(env, (message) => {
    throw new Error(message);
  });
const render = (env: Record<string, string>) => renderCrontab(settings(env), readPlaces(settings(env)));

test("backup and rotate_log always, each other job when its variable is set, in one order", () => {
  expect(render({})).toBe(
    "0 */6 * * * /bin/locked_run backup /var/run/backup.lock /bin/backup --cron-log=/var/log/cron.log\n" +
      "0 0 * * 6 /bin/locked_run rotate_log /var/run/rotate_log.lock /bin/rotate_log --cron-log=/var/log/cron.log\n",
  );
  const names = ["BACKUP", "CHECK", "FORGET", "PRUNE", "REPLICATE", "RESTORE_TEST", "ROTATE_LOG"];
  const all = Object.fromEntries(names.map((name, minute) => [`${name}_CRON`, `${minute} 3 * * mon`]));
  const jobs = render({ ...all, LOCK_DIR: "/l", LOG_DIR: "/o" });
  expect(
    jobs.split("\n").map((line) =>
      line
        .split(/ [/]bin[/]| [/]l[/]/)
        .slice(0, 3)
        .join("|"),
    ),
  ).toEqual([
    "0 3 * * mon|locked_run backup|backup.lock",
    "1 3 * * mon|locked_run check|check.lock",
    "2 3 * * mon|locked_run forget|forget.lock",
    "3 3 * * mon|locked_run prune|prune.lock",
    "4 3 * * mon|locked_run replicate|replicate.lock",
    "5 3 * * mon|locked_run restore-test|restore-test.lock",
    "6 3 * * mon|locked_run rotate_log|rotate_log.lock",
    "",
  ]);
});

test("every job of the schedule is a command, and has its variable alone", () => {
  const jobs = Object.values<Variable>(variables).flatMap(({ kind, job }) =>
    kind === "cron" ? [job ?? ""] : [],
  );
  expect(jobs).not.toBeEmpty();
  expect(jobs.filter((job) => findLinked(table, job) === undefined)).toEqual([]);
  expect(new Set(jobs).size).toBe(jobs.length);
});

test("what reaches the crontab is what every build of crond reads", () => {
  expect(
    render({ BACKUP_CRON: " @daily ", REPLICATE_CRON: "5\t4 * *  Mon" })
      .split("\n")
      .map((line) => line.slice(0, 11)),
  ).toEqual(["0 0 * * * /", "5 4 * * Mon", "0 0 * * 6 /", ""]);
});

describe("what must not reach a crontab is refused by the name of its variable", () => {
  test.each([
    ["a newline", { BACKUP_CRON: "0 0 * * *\n* * * * * rm" }, "BACKUP_CRON"],
    ["a carriage return", { BACKUP_CRON: "0 0 * * *\r" }, "BACKUP_CRON"],
    ["a percent sign", { CHECK_CRON: "0 0 * * *%" }, "CHECK_CRON"],
    ["a hash", { PRUNE_CRON: "# 0 0 * *" }, "PRUNE_CRON"],
    ["quotes", { FORGET_CRON: '"0" 0 * * *' }, "FORGET_CRON"],
    ["single quotes", { FORGET_CRON: "'0' 0 * * *" }, "FORGET_CRON"],
    ["a sixth field", { ROTATE_LOG_CRON: "0 0 * * * root" }, "ROTATE_LOG_CRON"],
    ["a command", { RESTORE_TEST_CRON: "0 0 * * $(id)" }, "RESTORE_TEST_CRON"],
    ["a blank in a path", { LOG_DIR: "/var/my log" }, "LOG_DIR"],
    ["a percent sign in a path", { LOG_DIR: "/var/%s" }, "LOG_DIR"],
    ["a newline in a path", { LOCK_DIR: "/var/run\n* * * * * rm" }, "LOCK_DIR"],
    ["a quote in a path", { LOCK_DIR: "/var/'run" }, "LOCK_DIR"],
    ["a command in a path", { LOCK_DIR: "/var/$(id)" }, "LOCK_DIR"],
    ["a hash in a path", { LOG_DIR: "/var/#log" }, "LOG_DIR"],
    ["a relative path", { LOG_DIR: "log" }, "LOG_DIR"],
  ])("%s", (_, env, name) => {
    expect(() => render(env)).toThrow(ConfigError);
    expect(() => render(env)).toThrow(new RegExp(`^${name}[:=]`));
  });

  test("all that is wrong is said at once, with the field", () => {
    expect(() => render({ BACKUP_CRON: "61 * * * *", CHECK_CRON: "0 0 * * 7" })).toThrow(
      'BACKUP_CRON: minute "61" is outside of 0 to 59. CHECK_CRON: day of week "7": crond does not know 7 as Sunday, write 0 or sun.',
    );
  });
});

test("a job that is off has neither a schedule nor a problem", () => {
  const jobs = plannedJobs(settings({ PRUNE_CRON: "nonsense" }));
  expect(jobs.find(({ job }) => job === "check")).toEqual({
    job: "check",
    variable: "CHECK_CRON",
    expression: "",
  });
  expect(jobs.find(({ job }) => job === "prune")).toEqual({
    job: "prune",
    variable: "PRUNE_CRON",
    expression: "nonsense",
    problem: expect.stringContaining('PRUNE_CRON: expression "nonsense" has 1 field, not 5'),
  });
});

test.each([
  ["0 */6 * * * /bin/x  a b", { expression: "0 */6 * * *", command: "/bin/x  a b" }],
  ["  @daily\t/bin/x", { expression: "@daily", command: "/bin/x" }],
  ["# 0 0 * * * /bin/x", undefined],
  ["SHELL=/bin/sh", undefined],
  ["0 0 * * *", undefined],
  ["", undefined],
])("a line of a crontab: %j", (line, wanted) => expect(readCrontabLine(line)).toEqual(wanted));
