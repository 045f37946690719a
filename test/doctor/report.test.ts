import { describe, expect, test } from "bun:test";
import { Checks } from "../../lib/doctor/checks.ts";
import { columns, formatSection, summarize, wrapped } from "../../lib/doctor/rendering.ts";
import { createMask } from "../../lib/mask.ts";

const mask = createMask({ RESTIC_PASSWORD: "a long secret" });

function checks() {
  const all = new Checks("Runtime");
  all.ok("All is well.");
  all.info("It is a long secret.");
  all.warn("Two\nlines.");
  all.fail("A \x1b[2Jbell \x07.");
  return all.list;
}

describe("a section as text", () => {
  test("heading, lines, verdicts below one another; masked and harmless", () => {
    const text = formatSection(
      "Runtime",
      { lines: ["a long secret here"], checks: checks(), json: null },
      mask,
      false,
    );
    expect(text).toBe(
      [
        "== Runtime ==",
        "*** here",
        "[OK]   All is well.",
        "[INFO] It is ***.",
        "[WARN] Two",
        "       lines.",
        "[FAIL] A \\x1b[2Jbell \\x07.",
        "",
      ].join("\n"),
    );
  });

  test("colour paints the verdict only", () => {
    const text = formatSection("Runtime", { checks: checks(), json: null }, mask, true);
    expect(text).toContain("\x1b[32m[OK]   \x1b[0mAll is well.\n");
    expect(text).toContain("\n[INFO] It is ***.\n");
    expect(text).toContain("\x1b[31m[FAIL] \x1b[0mA ");
  });
});

describe("the summary", () => {
  const summary = (...statuses: ("OK" | "WARN" | "FAIL")[]) => {
    const all = new Checks("Hooks");
    for (const status of statuses) all.add(status, "x");
    return summarize(all.list).checks;
  };

  test.each([
    [["OK"], "OK", "1 check: no failures, no warnings."],
    [["OK", "WARN"], "WARN", "2 checks: no failures, 1 warning, in Hooks."],
    [["FAIL", "WARN", "FAIL"], "FAIL", "3 checks: 2 failures, 1 warning, in Hooks."],
  ] as const)("%j", (statuses, status, message) => {
    expect(summary(...statuses)).toEqual([{ section: "Summary", status, message }]);
  });
});

describe("columns", () => {
  test("are as wide as the widest name, up to a bound", () => {
    expect(
      columns([
        ["A", "1"],
        ["LONGER", "2"],
      ]),
    ).toEqual(["A       1", "LONGER  2"]);
    expect(
      columns([
        ["X".repeat(40), "1"],
        ["B", "2"],
      ]),
    ).toEqual([`${"X".repeat(40)}  1`, `${"B".padEnd(32)}  2`]);
    expect(columns([])).toEqual([]);
  });

  test("words are wrapped, and none is lost", () => {
    const words = Array.from({ length: 30 }, (_, at) => `VARIABLE_${at}`);
    const lines = wrapped("Not set:", words, 60);
    expect(lines.every((line) => line.length <= 60)).toBe(true);
    expect(
      lines
        .join(" ")
        .replace("Not set:", "")
        .split(",")
        .map((word) => word.trim()),
    ).toEqual(words);
    expect(wrapped("Not set:", [])).toEqual([]);
  });
});
