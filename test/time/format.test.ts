import { describe, expect, test } from "bun:test";
import { compact, iso, loadZone, stamp } from "../../lib/time/zone.ts";
import { changes, randomInstants, seeded, systemDates } from "./dates.ts";

describe.each(["Europe/Amsterdam", "America/St_Johns", "Africa/Monrovia", "UTC", "<-0930>9:30"])(
  "%s",
  (tz) => {
    test("is what `date` writes", async () => {
      const zone = loadZone(tz);
      const seed = Math.floor(Math.random() * 2 ** 31);
      const instants = [...changes(zone), ...randomInstants(500, seeded(seed))];
      for (const { at, day, clock, offset } of await systemDates(tz, instants)) {
        const ms = at * 1000 + 999;
        expect({ seed, at, text: stamp(ms, zone) }).toEqual({ seed, at, text: `${day} ${clock}` });
        expect(iso(ms, zone)).toBe(`${day}T${clock}${offset.slice(0, 6)}`);
        expect(compact(ms, zone)).toBe(`${day.replaceAll("-", "")}-${clock.replaceAll(":", "")}`);
      }
    });
  },
);

test("the examples of the specification", () => {
  const zone = loadZone("Europe/Amsterdam");
  const at = Date.UTC(2026, 4, 11, 7, 30);
  expect(stamp(at, zone)).toBe("2026-05-11 09:30:00");
  expect(iso(at, zone)).toBe("2026-05-11T09:30:00+02:00");
  expect(compact(at, zone)).toBe("20260511-093000");
  expect(iso(0, loadZone("UTC"))).toBe("1970-01-01T00:00:00+00:00");
  expect(stamp(-1, loadZone("UTC"))).toBe("1969-12-31 23:59:59");
});

test("no date throws", () => expect(() => stamp(Number.NaN, loadZone("UTC"))).toThrow(RangeError));

// The first touch of a local getter or of Intl starts ICU, 4 ms: it would come with every line logged.
test("no file of lib touches Date's local methods or Intl", async () => {
  const local =
    /\.(get|set)(FullYear|Month|Date|Day|Hours|Minutes|Seconds|TimezoneOffset)\b|toLocale|\bIntl\b(?=\.)/;
  const lib = new URL("../../lib/", import.meta.url).pathname;
  const wrong: string[] = [];
  for await (const file of new Bun.Glob("**/*.ts").scan(lib)) {
    if (local.test(await Bun.file(lib + file).text())) wrong.push(file);
  }
  expect(wrong).toEqual([]);
});
