import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadZone, localZone, type Zone } from "../../lib/time/zone.ts";
import { changes, randomInstants, seeded, systemDates } from "./dates.ts";

const NAMED = [
  "Europe/Amsterdam",
  "Europe/Dublin",
  "America/New_York",
  "America/St_Johns",
  "America/Nuuk",
  "Asia/Kolkata",
  "Asia/Gaza",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Africa/Monrovia",
  "Pacific/Apia",
  "Antarctica/Troll",
  "UTC",
];
const RULES = [
  "CET-1CEST,M3.5.0,M10.5.0/3",
  "EST5EDT4,M3.2.0/2:00:00,M11.1.0/2",
  "NZST-12NZDT,M9.5.0,M4.1.0/3",
  "IST-1GMT0,M10.5.0,M3.5.0/1",
  "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
  "IST-2IDT,M3.4.4/26,M10.5.0",
  "AAA3BBB,J60/1:30:15,J300",
  "AAA3BBB,59,300/26",
  "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
  "<+03>-3",
  "JST-9",
  "XXX-5:45:30",
];

function offsetText(seconds: number): string {
  const absolute = Math.abs(seconds);
  const parts = [absolute / 3600, (absolute / 60) % 60, absolute % 60].map((part) => {
    return String(Math.floor(part)).padStart(2, "0");
  });
  return `${seconds < 0 ? "-" : "+"}${parts.join(":")}`;
}

async function expectAsSystem(tz: string | undefined, zone: Zone): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const instants = [...changes(zone), ...randomInstants(1500, seeded(seed))];
  const wanted = await systemDates(tz, instants);
  const wrong = wanted.filter(({ at, offset }) => offsetText(zone.offsetAt(at)) !== offset);
  expect({ seed, wrong: wrong.slice(0, 5) }).toEqual({ seed, wrong: [] });
}

describe("offsets from 1970 to 2100 are those of `date`", () => {
  test.each([...NAMED, ...RULES])("%s", async (tz) => {
    const zone = loadZone(tz);
    expect({ name: zone.name, known: zone.known }).toEqual({ name: tz, known: true });
    await expectAsSystem(tz, zone);
  });

  test("TZ unset", () => expectAsSystem(undefined, loadZone(undefined)));
});

describe("how TZ is looked up", () => {
  const summer = Date.UTC(2026, 6, 1) / 1000;
  test.each([
    ["", "UTC", true, 0],
    [":", "UTC", true, 0],
    [":Europe/Amsterdam", "Europe/Amsterdam", true, 7200],
    ["/usr/share/zoneinfo/Europe/Amsterdam", "Europe/Amsterdam", true, 7200],
    [":/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata", true, 19_800],
    ["Europe/Amsterdm", "UTC", false, 0],
    ["Europe", "UTC", false, 0],
    ["europe/amsterdam", "UTC", false, 0],
    ["../../../etc/localtime", "UTC", false, 0],
    ["Europe/../Europe/Amsterdam", "UTC", false, 0],
    ["/etc/passwd", "UTC", false, 0],
    ["/nowhere", "UTC", false, 0],
    ["CET-1CEST,M3.5.0", "UTC", false, 0],
    ["a\0b", "UTC", false, 0],
    ["Etc/GMT-3", "Etc/GMT-3", true, 10_800],
  ])("%j", (tz, name, known, offset) => {
    const zone = loadZone(tz);
    expect({ name: zone.name, known: zone.known, offset: zone.offsetAt(summer) }).toEqual({
      name,
      known,
      offset,
    });
  });

  test("a path outside of the zone folders is the name", () => {
    const folder = mkdtempSync(join(tmpdir(), "zone-"));
    const file = join(folder, "here");
    copyFileSync("/usr/share/zoneinfo/Asia/Tokyo", file);
    expect(loadZone(file)).toMatchObject({ name: file, known: true });
    expect(loadZone(file).offsetAt(summer)).toBe(32_400);
    rmSync(folder, { recursive: true });
  });

  test("localZone is loaded once", () => expect(localZone()).toBe(localZone()));
});

test("periods join without a gap, and each answers for itself", () => {
  for (const tz of [...NAMED, ...RULES]) {
    const zone = loadZone(tz);
    let at = 0;
    for (let count = 0; count < 300 && at < Infinity; count += 1) {
      const period = zone.periodAt(at);
      const alone = loadZone(tz).periodAt(Math.min(period.until, at + 1e9) - 1);
      expect({ tz, ...period }).toEqual({ tz, ...alone });
      expect(period.from <= at && at < period.until).toBe(true);
      at = period.until;
    }
  }
});
