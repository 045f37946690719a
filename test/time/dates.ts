// What the system's own `date` says of many instants at once, and where to look: shared by the tests of lib/time.
import type { Zone } from "../../lib/time/zone.ts";

export interface SystemDate {
  readonly at: number;
  readonly day: string;
  readonly clock: string;
  readonly offset: string;
}

/** One `date` process for all instants (epoch seconds); tz undefined: TZ unset. */
export async function systemDates(
  tz: string | undefined,
  instants: readonly number[],
): Promise<SystemDate[]> {
  const { TZ: _, ...env } = process.env;
  const child = Bun.spawn(["date", "-f", "-", "+%Y-%m-%d %H:%M:%S %::z"], {
    env: tz === undefined ? env : { ...env, TZ: tz },
    stdin: new Blob([instants.map((at) => `@${at}\n`).join("")]),
  });
  const lines = (await new Response(child.stdout).text()).trimEnd().split("\n");
  // Not date's own %s: that goes by way of mktime, which takes the other of two equal local hours at times.
  return instants.map((at, index) => {
    const [day = "", clock = "", offset = ""] = (lines[index] ?? "").split(" ");
    return { at, day, clock, offset: offset.replace("-00:00:00", "+00:00:00") }; // a zone named -00 has that sign
  });
}

export const FIRST = 0;
export const LAST = Date.UTC(2100, 0, 1) / 1000;

/** Both sides of every change the zone knows of, from 1970 to 2100. */
export function changes(zone: Zone): number[] {
  const found: number[] = [];
  for (let at = FIRST; ; ) {
    at = zone.periodAt(at).until;
    if (at >= LAST) return found;
    found.push(at - 1, at, at + 1);
  }
}

export function randomInstants(count: number, random: () => number): number[] {
  return Array.from({ length: count }, () => FIRST + Math.floor(random() * (LAST - FIRST)));
}

/** mulberry32: small, seeded, good enough to choose test cases with. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
