import { describe, expect, test } from "bun:test";
import { Checks } from "../../lib/doctor/checks.ts";
import { judgeProgram, judgeTime, versionIn } from "../../lib/doctor/system.ts";
import { loadZone } from "../../lib/time/zone.ts";

test.each([
  ["restic", "restic 0.19.1 compiled with go1.26.4 on linux/amd64\n", "0.19.1"],
  ["restic", "restic 0.14.0 (v0.14.0-0-g0) compiled with go1.19.8 on linux/amd64\n", "0.14.0"],
  ["rclone", "rclone v1.60.1-DEV\n- os/version: debian 12.11 (64 bit)\n", "1.60.1-DEV"],
  ["busybox", "BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) multi-call binary.\n", "1.35.0"],
  ["flock", "flock from util-linux 2.38.1\n", "util-linux 2.38.1"],
  ["restic", "segmentation fault\n", undefined],
  ["flock", "", undefined],
] as const)("the version of %s in %j", (name, output, wanted) => {
  expect(versionIn(name, output)).toBe(wanted as string);
});

describe("time", () => {
  const nowMs = Date.UTC(2026, 4, 11, 7, 30);
  const judge = (tz: string | undefined, isMusl: boolean) => {
    const checks = new Checks("Runtime");
    judgeTime(checks, { tz, zone: loadZone(tz), nowMs, isMusl });
    return checks.list.map(({ status, message }) => `${status} ${message}`);
  };

  test("a zone by its rule, with the offset of now", () => {
    expect(judge("CET-1CEST,M3.5.0,M10.5.0/3", true)).toEqual([
      "OK Time 2026-05-11 09:30:00, +02:00, zone CET-1CEST,M3.5.0,M10.5.0/3.",
    ]);
  });

  test("a zone that nobody knows is UTC, and said", () => {
    expect(judge("Europe/Amsterdm", false)).toEqual([
      "WARN Time 2026-05-11 07:30:00, +00:00: TZ=Europe/Amsterdm names no zone that this image knows, so UTC is used. " +
        "Correct it, or install tzdata.",
    ]);
  });

  test("a summer time without dates: musl reads it otherwise", () => {
    const [ok, warning] = judge("AST4ADT", true);
    expect(ok).toStartWith("OK Time 2026-05-11 04:30:00, -03:00");
    expect(warning).toContain("WARN TZ=AST4ADT names a summer time but not its dates");
    expect(warning).toContain("AST4ADT,M3.2.0,M11.1.0");
    expect(judge("AST4ADT", false)).toHaveLength(1);
    expect(judge("JST-9", true)).toHaveLength(1);
    expect(judge(undefined, true)).toHaveLength(1);
    expect(judge("", true)).toHaveLength(1);
  });
});

describe("a program", () => {
  const judge = (...args: Parameters<typeof judgeProgram> extends [Checks, ...infer Rest] ? Rest : never) => {
    const checks = new Checks("Runtime");
    judgeProgram(checks, ...args);
    return checks.list.map(({ status, message }) => `${status} ${message}`);
  };

  test("there, silent, missing", () => {
    expect(judge("restic", { path: "/bin/restic", version: "0.18.0" }, "FAIL", "Needed.")).toEqual([
      "OK restic 0.18.0 at /bin/restic.",
    ]);
    expect(
      judge(
        "restic",
        { path: "/bin/restic", version: null, problem: "/bin/restic is mute." },
        "FAIL",
        "Needed.",
      ),
    ).toEqual(["WARN restic: /bin/restic is mute."]);
    const missing = { path: null, version: null, problem: "rclone was not found in PATH=/bin." };
    expect(judge("rclone", missing, "INFO", "Only replicate needs it.")).toEqual([
      "INFO rclone was not found in PATH=/bin. Only replicate needs it.",
    ]);
  });
});
