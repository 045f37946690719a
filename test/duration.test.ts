import { describe, expect, test } from "bun:test";
import { formatDuration, formatShort, parseDuration } from "../lib/text.ts";

describe("parseDuration", () => {
  test.each<[string, number]>([
    ["0", 0],
    ["90", 90],
    ["007", 7],
    ["0s", 0],
    ["90s", 90],
    ["15m", 900],
    ["6h", 21_600],
    ["1d", 86_400],
    ["1h30m", 5400],
    ["1h90m", 9000],
    ["2d3h4m5s", 183_845],
    ["1d1s", 86_401],
    ["2147483647", 2_147_483_647],
    ["24855d", 2_147_472_000],
  ])("%s", (text, seconds) => expect(parseDuration(text)).toBe(seconds));

  test.each([
    "",
    " ",
    "s",
    "h",
    "-1",
    "+1",
    "1.5h",
    "1,5h",
    "1e3",
    "0x10",
    "90 s",
    " 90",
    "90\n",
    "90S",
    "1w",
    "30m1h",
    "1h1h",
    "1h30",
    "∞",
    "٣",
    "NaN",
    "off",
    "2147483648",
    "24856d",
    "9".repeat(400),
  ])("%j is none", (text) => expect(parseDuration(text)).toBeUndefined());
});

describe("formatDuration", () => {
  test.each<[number, string]>([
    [0, "0s"],
    [0.4, "0s"],
    [1, "1s"],
    [59, "59s"],
    [59.6, "1m"],
    [60, "1m"],
    [65, "1m5s"],
    [3599, "59m59s"],
    [3600, "1h"],
    [3659, "1h"],
    [3720, "1h2m"],
    [21_600, "6h"],
    [86_399, "23h59m"],
    [86_400, "1d"],
    [86_400 + 3599, "1d"],
    [2 * 86_400 + 3 * 3600, "2d3h"],
    [400 * 86_400, "400d"],
    [-5, "0s"],
    [Number.NaN, "0s"],
  ])("%d", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  test("what it writes can be read, and loses less than its smaller unit", () => {
    for (let seconds = 0; seconds < 300_000; seconds += 37) {
      const back = parseDuration(formatDuration(seconds)) ?? Number.NaN;
      expect(back <= seconds && seconds - back < (seconds < 3600 ? 1 : seconds < 86_400 ? 60 : 3600)).toBe(
        true,
      );
    }
  });
});

describe("formatShort", () => {
  test.each<[number, string]>([
    [0, "0.0s"],
    [49, "0.0s"],
    [50, "0.1s"],
    [200, "0.2s"],
    [3400, "3.4s"],
    [9949, "9.9s"],
    [9950, "10s"],
    [10_400, "10s"],
    [65_000, "1m5s"],
    [-200, "0.0s"],
    [Number.NaN, "0.0s"],
  ])("%d ms", (ms, text) => expect(formatShort(ms)).toBe(text));
});
