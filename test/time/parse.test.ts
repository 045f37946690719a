import { describe, expect, test } from "bun:test";
import { iso, loadZone, parseLocal } from "../../lib/time/zone.ts";

const amsterdam = loadZone("CET-1CEST,M3.5.0,M10.5.0/3");
const shown = (text: string, zone = amsterdam) => {
  const epochMs = parseLocal(text, zone);
  return epochMs === undefined ? undefined : iso(epochMs, zone);
};

describe("parseLocal", () => {
  test.each([
    ["2026-05-11", "2026-05-11T00:00:00+02:00"],
    ["2026-01-11 09:30", "2026-01-11T09:30:00+01:00"],
    [" 2026-01-11T09:30:59 ", "2026-01-11T09:30:59+01:00"],
    ["2024-02-29", "2024-02-29T00:00:00+01:00"],
    // The clock goes from 02:00 to 03:00 that night, and from 03:00 back to 02:00 in October.
    ["2026-03-29 01:59:59", "2026-03-29T01:59:59+01:00"],
    ["2026-03-29 02:30", "2026-03-29T03:30:00+02:00"],
    ["2026-03-29 03:00", "2026-03-29T03:00:00+02:00"],
    ["2026-10-25 02:30", "2026-10-25T02:30:00+02:00"],
    ["2026-10-25 03:00", "2026-10-25T03:00:00+01:00"],
  ])("%p", (text, found) => expect(shown(text)).toBe(found));

  test.each([
    ...["", "yesterday", "2026", "2026-5-1", "2026-13-01", "2026-00-01", "2026-02-30", "2025-02-29"],
    ...["2026-01-01 24:00", "2026-01-01 10:60", "2026-01-01 10:00:60", "2026-01-01 10", "0050-01-01"],
    ...["2026-01-01 10:00Z", "2026-01-01T10:00+01:00", "2026-01-01  10:00"],
  ])("%p is no date", (text) => expect(shown(text)).toBeUndefined());
});
