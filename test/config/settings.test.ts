import { describe, expect, test } from "bun:test";
import { Settings, screaming, wholeNumber } from "../../lib/config/settings.ts";
import { Context } from "../../lib/context.ts";
import type { Environment } from "../../lib/environment.ts";
import { ConfigError } from "../../lib/errors.ts";
import { World } from "../support/world.ts";

/** The value that `read` finds in `env`, and what was warned of. */
function found<T>(env: Environment, read: (settings: Settings) => T): { value: T; warned: string[] } {
  const warned: string[] = [];
  return { value: read(new Settings(env, (message) => warned.push(message))), warned };
}

describe("a hook's time-out", () => {
  const read = (env: Environment) => found(env, (settings) => settings.hookTimeout("pre-backup"));

  test.each<[string | undefined, number]>([
    [undefined, 0],
    ["", 0],
    ["0", 0],
    ["00", 0],
    ["1", 1],
    ["300", 300],
    ["0300", 300],
    [" 300 ", 300],
    ["300\n", 300],
    ["300s", 300],
    ["5m", 300],
    ["1h30m", 5400],
    [" 2d ", 172_800],
    ["2147483647", 2 ** 31 - 1],
    ["2147483648", 2 ** 31],
    ["99999999999999999999", 2 ** 31],
    ["9".repeat(400), 2 ** 31],
  ])("HOOK_TIMEOUT=%j is %d seconds", (value, seconds) => {
    expect(read({ HOOK_TIMEOUT: value })).toEqual({ value: seconds, warned: [] });
  });

  test.each([
    " ",
    "\n",
    "-1",
    "+1",
    "5.5",
    "5,5",
    "1e3",
    "0x10",
    "5 m",
    "m5",
    "1.5h",
    "abc",
    "٣",
    "³",
    "∞",
    "NaN",
    "5\n6",
    "off",
    "1 2",
  ])("HOOK_TIMEOUT=%j is warned of, and means none", (value) => {
    const { value: seconds, warned } = read({ HOOK_TIMEOUT: value });
    expect(seconds).toBe(0);
    expect(warned).toEqual([
      expect.stringContaining(
        "is not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.",
      ),
    ]);
    expect(warned[0]).toContain(value);
  });

  test("a phase's own wins, also when it is odd or 0", () => {
    const both = (own: string) => read({ HOOK_TIMEOUT: "300", HOOK_TIMEOUT_PRE_BACKUP: own });
    expect(both("5")).toEqual({ value: 5, warned: [] });
    expect(both("0")).toEqual({ value: 0, warned: [] });
    expect(both("")).toEqual({ value: 300, warned: [] });
    expect(both("soon").value).toBe(0);
    expect(both("soon").warned).toEqual([expect.stringMatching(/^HOOK_TIMEOUT_PRE_BACKUP=soon is not/)]);
    expect(
      found({ HOOK_TIMEOUT_POST_SNAPSHOT_EXPORT: "7" }, (s) => s.hookTimeout("post-snapshot-export")).value,
    ).toBe(7);
  });
});

test("the same is warned of once", () => {
  const { warned } = found({ HOOK_TIMEOUT: "abc", HOOK_KILL_AFTER: "-1" }, (settings) => {
    for (let round = 0; round < 3; round++) {
      settings.hookTimeout("pre-backup");
      settings.hookTimeout("post-backup");
      settings.seconds("HOOK_KILL_AFTER");
    }
  });
  expect(warned).toEqual([
    "HOOK_TIMEOUT=abc is not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.",
    "HOOK_KILL_AFTER=-1 is not a duration such as 90, 90s, 15m or 6h; 10 is used.",
  ]);
});

test.each<[string, number, string]>([
  ["", 10, ""],
  ["0", 0, ""],
  ["25", 25, ""],
  ["-5", 10, "HOOK_KILL_AFTER=-5 is not a duration such as 90, 90s, 15m or 6h; 10 is used."],
  ["2 s", 10, "HOOK_KILL_AFTER='2 s' is not a duration such as 90, 90s, 15m or 6h; 10 is used."],
])("count %j", (value, count, warning) => {
  const { value: got, warned } = found({ HOOK_KILL_AFTER: value }, (settings) =>
    settings.seconds("HOOK_KILL_AFTER"),
  );
  expect({ got, warned: warned.join() }).toEqual({ got: count, warned: warning });
});

test.each<[string, number, boolean]>([
  ["", 8, false],
  ["30", 30, false],
  ["2m", 120, false],
  ["0", 0, false],
  ["-1", 8, true],
  ["2 m", 8, true],
])("seconds %j", (value, seconds, warns) => {
  const { value: got, warned } = found({ STOP_TIMEOUT: value }, (settings) =>
    settings.seconds("STOP_TIMEOUT"),
  );
  expect({ got, warns: warned.length > 0 }).toEqual({ got: seconds, warns });
});

test("a worker's time-out has the worker's name", () => {
  expect(screaming("restore-test")).toBe("RESTORE_TEST");
  expect(
    found({ RESTORE_TEST_TIMEOUT: "1h" }, (settings) => settings.workTimeout("restore-test")).value,
  ).toBe(3600);
  expect(found({ BACKUP_TIMEOUT: "soon" }, (settings) => settings.workTimeout("backup"))).toEqual({
    value: 0,
    warned: ["BACKUP_TIMEOUT=soon is not a duration such as 6h; none is used."],
  });
});

test.each<[string, boolean, boolean]>([
  ["ON", true, false],
  ["on", true, false],
  [" On ", true, false],
  ["OFF", false, false],
  ["", false, false],
  ["yes", false, true],
  ["1", false, true],
])("switch %j", (value, on, warns) => {
  const { value: got, warned } = found({ MAILX_ON_ERROR: value }, (settings) =>
    settings.flag("MAILX_ON_ERROR"),
  );
  expect({ got, warned }).toEqual({
    got: on,
    warned: warns ? [`MAILX_ON_ERROR=${value} is neither ON nor OFF; OFF is used.`] : [],
  });
});

test.each<[string, "OFF" | "ON" | "STALE", boolean]>([
  ["", "OFF", false],
  ["OFF", "OFF", false],
  ["on", "ON", false],
  [" Stale ", "STALE", false],
  ["stales", "OFF", true],
  ["yes", "OFF", true],
])("choice %j", (value, choice, warns) => {
  const { value: got, warned } = found({ RESTIC_AUTO_UNLOCK: value }, (settings) =>
    settings.choice("RESTIC_AUTO_UNLOCK"),
  );
  expect({ got, warned }).toEqual({
    got: choice,
    warned: warns ? [`RESTIC_AUTO_UNLOCK=${value} is none of OFF, ON, STALE; OFF is used.`] : [],
  });
});

test("words, lines, text and folders", () => {
  const env = {
    RESTIC_JOB_ARGS: "-x 'a b'",
    BACKUP_ROOT_DIR: "/a\n\n \r\n/b c\r\n",
    TZ: "",
    LOG_DIR: "logs",
    LOCK_DIR: "/l",
  };
  expect(found(env, (settings) => settings.words("RESTIC_JOB_ARGS")).value).toEqual(["-x", "a b"]);
  expect(found(env, (settings) => settings.lines("BACKUP_ROOT_DIR")).value).toEqual(["/a", "/b c"]);
  const dos = { BACKUP_ROOT_DIR: "/a\r\n/b c\r" };
  expect(found(dos, (settings) => settings.lines("BACKUP_ROOT_DIR")).value).toEqual(["/a", "/b c"]);
  expect(found(env, (settings) => settings.text("TZ")).value).toBe("");
  expect(found(env, (settings) => [settings.folder("LOG_DIR"), settings.folder("LOCK_DIR")]).value).toEqual([
    `${process.cwd()}/logs`,
    "/l",
  ]);
  expect(found(env, (settings) => [settings.given("TZ"), settings.given("NO_COLOR")]).value).toEqual([
    true,
    false,
  ]);
});

test("an unbalanced quote is a configuration error that does not repeat the words", () => {
  const read = () =>
    found({ RESTIC_JOB_ARGS: "--password 'hunter22" }, (settings) => settings.words("RESTIC_JOB_ARGS"));
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/^RESTIC_JOB_ARGS: the ' at character 12 is never closed/);
  expect(read).not.toThrow(/hunter22/);
});

test.each<[string, number | undefined]>([
  ["0", 0],
  ["12", 12],
  ["", undefined],
  ["1.0", undefined],
  ["1e3", undefined],
])("wholeNumber %j", (text, number) => expect(wholeNumber(text)).toBe(number));

describe("the repository", () => {
  const of = (env: Environment) => new Context("backup", { env }).repository;

  test("is RESTIC_REPOSITORY, or the default", () => {
    expect(of({ RESTIC_REPOSITORY: "/r" })).toBe("/r");
    expect(of({})).toBe("/mnt/restic");
  });

  test("is the first line of its file that is neither blank nor a comment", () => {
    using world = new World();
    const path = world.file("repository", "\n  \r\n# ours\n  rest:https://h/r  \r\nsecond\n");
    expect(of({ RESTIC_REPOSITORY: "/r", RESTIC_REPOSITORY_FILE: path })).toBe("rest:https://h/r");
    const empty = world.file("empty", "# nothing\n");
    expect(() => of({ RESTIC_REPOSITORY_FILE: empty })).toThrow(/names no repository/);
    expect(() => of({ RESTIC_REPOSITORY_FILE: "/nowhere" })).toThrow(
      "RESTIC_REPOSITORY_FILE=/nowhere cannot be read: no such file or directory. Mount it, or unset it.",
    );
  });
});
