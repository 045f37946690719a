import { describe, expect, test } from "bun:test";
import { parsePosixRule, rulePeriod } from "../../lib/time/tzif.ts";

describe("what is a rule", () => {
  test.each([
    ["UTC0", 0],
    ["JST-9", 32_400],
    ["EST5", -18_000],
    ["EST+5", -18_000],
    ["<+03>-3", 10_800],
    ["<-0330>3:30", -12_600],
    ["AAA-5:45:30", 20_730],
    ["AAA-24", 86_400],
  ])("%s is %i seconds east", (text, standard) => expect(parsePosixRule(text)).toEqual({ standard }));

  test("a summer name without dates has those of the United States", () => {
    expect(parsePosixRule("EST5EDT")).toEqual(parsePosixRule("EST5EDT4,M3.2.0/2,M11.1.0/2:00:00"));
  });

  test.each([
    "",
    "UTC",
    "AB3",
    "5",
    "CET-1CEST,M3.5.0",
    "CET-1CEST,M3.5.0,M10.5.0,",
    "CET-25",
    "CET-1:60",
    "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.0.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0",
    "CET-1CEST,M3.5.0/168,M10.5.0",
    "CET-1CEST,J0,J300",
    "CET-1CEST,J366,J300",
    "CET-1CEST,0,366",
    "<+3>-3",
    "<+03-3",
    "Europe/Amsterdam",
    "CET-1CEST,M3.5.0,M10.5.0\n",
  ])("%j is none", (text) => expect(parsePosixRule(text)).toBeUndefined());
});

test("summer all the year (RFC 8536, 3.3.1) has no gap at New Year", () => {
  const rule = parsePosixRule("XXX3EDT4,0/0,J365/23")!;
  for (let at = Date.UTC(2025, 11, 30) / 1000; at < Date.UTC(2026, 0, 3) / 1000; at += 1800) {
    expect(rulePeriod(rule, at).offset).toBe(-14_400);
  }
});

test("a period has the rule's own ends", () => {
  const rule = parsePosixRule("CET-1CEST,M3.5.0,M10.5.0/3")!;
  expect(rulePeriod(rule, Date.UTC(2026, 4, 11) / 1000)).toEqual({
    from: Date.UTC(2026, 2, 29, 1) / 1000,
    until: Date.UTC(2026, 9, 25, 1) / 1000,
    offset: 7200,
  });
  expect(rulePeriod(rule, Date.UTC(2026, 11, 11) / 1000)).toEqual({
    from: Date.UTC(2026, 9, 25, 1) / 1000,
    until: Date.UTC(2027, 2, 28, 1) / 1000,
    offset: 3600,
  });
});
