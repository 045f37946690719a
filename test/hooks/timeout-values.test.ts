/** No value of HOOK_TIMEOUT, however odd, kills a hook at once. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

async function runWith(env: Record<string, string>) {
  using it = new World();
  it.restic();
  it.hook("pre-backup", "sleep 0.2; echo lived");
  it.hook("post-backup", "echo lived");
  const { code, stdout, stderr } = await it.run("backup", [], { env });
  return {
    code,
    stderr,
    lived: stdout.match(/\| lived$/gm)?.length ?? 0,
    warnings: stdout.match(/(?<= WARN {2}backup {2}).*/g) ?? [],
    hooks: it
      .record()
      .hooks.map((hook: { exit_code: number; timed_out: boolean }) => [hook.exit_code, hook.timed_out]),
  };
}

const FINE = {
  code: 0,
  stderr: "",
  lived: 2,
  hooks: [
    [0, false],
    [0, false],
  ],
};

describe.concurrent("met with one warning, and no time-out", () => {
  test.each<[string, string]>([
    [" ", "HOOK_TIMEOUT=' ' is"],
    ["-1", "HOOK_TIMEOUT=-1 is"],
    ["+1", "HOOK_TIMEOUT=+1 is"],
    ["5.5", "HOOK_TIMEOUT=5.5 is"],
    ["0.0001", "HOOK_TIMEOUT=0.0001 is"],
    ["1e3", "HOOK_TIMEOUT=1e3 is"],
    ["0x10", "HOOK_TIMEOUT=0x10 is"],
    ["5.5m", "HOOK_TIMEOUT=5.5m is"],
    ["abc", "HOOK_TIMEOUT=abc is"],
    ["٣", "HOOK_TIMEOUT='٣' is"],
    ["NaN", "HOOK_TIMEOUT=NaN is"],
    ["Infinity", "HOOK_TIMEOUT=Infinity is"],
    ["$(id)", "HOOK_TIMEOUT='$(id)' is"],
    ["--help", "HOOK_TIMEOUT=--help is"],
  ])("%j", async (value, words) => {
    const { warnings, ...rest } = await runWith({ HOOK_TIMEOUT: value });
    expect(rest).toEqual(FINE);
    expect(warnings).toEqual([
      `${words} not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.`,
    ]);
  });

  test("a newline within is shown as \\n, so that the warning is one line", async () => {
    const { warnings, ...rest } = await runWith({ HOOK_TIMEOUT: "5\n6" });
    expect(rest).toEqual(FINE);
    expect(warnings).toEqual([
      "HOOK_TIMEOUT='5\\n6' is not a whole number of seconds, nor a duration such as 90s or 15m; hooks run without a time-out.",
    ]);
  });
});

describe.concurrent("a limit that these hooks do not reach, or none", () => {
  test.each([
    "",
    "0",
    "00",
    "20",
    " 20 ",
    "20\n",
    "20s",
    "1h30m",
    "2147483",
    "2147484",
    "2147483647",
    "2147483648",
    "4294967297",
    "99999999999999999999",
  ])("%j", async (value) => {
    expect(await runWith({ HOOK_TIMEOUT: value })).toEqual({ ...FINE, warnings: [] });
  });
});

test("an odd HOOK_KILL_AFTER and HOOK_LOG_MAX_BYTES fall back to their defaults", async () => {
  const { warnings, ...rest } = await runWith({
    HOOK_KILL_AFTER: "soon",
    HOOK_LOG_MAX_BYTES: "1MiB",
    HOOK_TIMEOUT: "20",
  });
  expect(rest).toEqual(FINE);
  expect(warnings).toEqual([
    "HOOK_KILL_AFTER=soon is not a duration such as 90, 90s, 15m or 6h; 10 is used.",
    "HOOK_LOG_MAX_BYTES=1MiB is not a whole number; 1048576 is used.",
  ]);
});
