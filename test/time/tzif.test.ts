import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parseTzif } from "../../lib/time/tzif.ts";

const amsterdam = new Uint8Array(readFileSync("/usr/share/zoneinfo/Europe/Amsterdam"));

describe("versions", () => {
  const instants = Array.from({ length: 2000 }, (_, index) => index * 1_000_000);

  test("version 1 has the same 32-bit changes", () => {
    const first = amsterdam.slice();
    first[4] = 0;
    const [one, two] = [parseTzif(first)!, parseTzif(amsterdam)!];
    const wrong = instants.filter((at) => at < 2 ** 31 && one(at).offset !== two(at).offset);
    expect(wrong).toEqual([]);
    expect(one(Date.UTC(2060, 6, 1) / 1000).offset).toBe(3600); // no footer: the last type goes on
    expect(two(Date.UTC(2060, 6, 1) / 1000).offset).toBe(7200);
  });

  test.each([0x33, 0x34])("version byte %i reads as 2", (version) => {
    const later = amsterdam.slice();
    later[4] = version;
    expect(parseTzif(later)!(1.7e9)).toEqual(parseTzif(amsterdam)!(1.7e9));
  });

  test("no changes at all: the footer alone", () => {
    const find = parseTzif(tiny("CET-1CEST,M3.5.0,M10.5.0/3"))!;
    expect(find(Date.UTC(2026, 6, 1) / 1000).offset).toBe(7200);
  });

  test.each(["", "no rule"])("footer %j: the only type", (footer) => {
    expect(parseTzif(tiny(footer))!(0)).toEqual({ from: -Infinity, until: Infinity, offset: 3600 });
  });
});

describe("no zone file", () => {
  test("cut anywhere, or other bytes", () => {
    for (let length = 0; length < amsterdam.length - 30; length += 7) {
      expect(parseTzif(amsterdam.slice(0, length))).toBeUndefined();
    }
    expect(parseTzif(new TextEncoder().encode("root:x:0:0:".repeat(20)))).toBeUndefined();
  });

  test("random damage never throws", () => {
    for (let at = 0; at < amsterdam.length; at += 1) {
      const damaged = amsterdam.slice();
      damaged[at] = 0xff;
      parseTzif(damaged)?.(1.7e9);
    }
  });
});

/** Two blocks with one type, one hour east, and a footer. */
function tiny(footer: string): Uint8Array {
  const block = new Uint8Array(44 + 6 + 4);
  block.set(new TextEncoder().encode("TZif2"));
  const view = new DataView(block.buffer);
  view.setUint32(36, 1);
  view.setUint32(40, 4);
  view.setInt32(44, 3600);
  return new Uint8Array([...block, ...block, ...new TextEncoder().encode(`\n${footer}\n`)]);
}
