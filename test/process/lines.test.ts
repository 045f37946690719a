import { describe, expect, test } from "bun:test";
import { createMask } from "../../lib/mask.ts";
import { RawLines, SafeLines } from "../../lib/process/pump.ts";
import { LINE_MOST } from "../../lib/text.ts";

const SECRET = "s3cret-of-some-length";
const mask = createMask({ X_TOKEN: SECRET });
const bytes = (text: string) => new TextEncoder().encode(text);

/** What comes out when `input` goes in by pieces of `size` bytes. */
function safe(input: Uint8Array | string, size = Number.POSITIVE_INFINITY): string {
  const lines = new SafeLines(mask);
  const all = typeof input === "string" ? bytes(input) : input;
  let out = "";
  for (let at = 0; at < all.length; at += Math.min(size, all.length)) {
    out += lines.push(all.subarray(at, at + Math.min(size, all.length)));
  }
  return out + lines.end();
}

describe("SafeLines", () => {
  test.each<[string, string]>([
    ["", ""],
    ["\n", "\n"],
    ["one\ntwo\n", "one\ntwo\n"],
    ["no newline at the end", "no newline at the end\n"],
    ["\n\n a \n\n", "\n\n a \n\n"],
    ["dos\r\n", "dos\n"],
    [`the token is ${SECRET}.`, "the token is ***.\n"],
    ["\x1b[1mbold\x1b[0m\n", "\\x1b[1mbold\\x1b[0m\n"],
    ["ä € 😀\n", "ä € 😀\n"],
  ])("%j", (input, output) => {
    for (const size of [1, 2, 3, 7, 1000]) expect(safe(input, size)).toBe(output);
  });

  test("a line comes when its newline comes, the rest at the end", () => {
    const lines = new SafeLines(mask);
    expect([
      lines.push(bytes("on")),
      lines.push(bytes("e\ntw")),
      lines.push(bytes("o")),
      lines.end(),
    ]).toEqual(["", "one\n", "", "two\n"]);
    expect(lines.end()).toBe("");
  });

  test("invalid UTF-8 is replaced, and a character that is cut between two reads is not invalid", () => {
    expect(safe(new Uint8Array([0x61, 0xff, 0x62, 0xc3, 0x0a]))).toBe("a\ufffdb\ufffd\n");
    expect(safe(new Uint8Array([0xf0, 0x9f, 0x98]))).toBe("\ufffd\n");
    expect(safe("😀", 1)).toBe("😀\n");
  });

  test.each([LINE_MOST - 1, LINE_MOST, LINE_MOST + 1, 2 * LINE_MOST, 2 * LINE_MOST + 1, 1_000_000])(
    "a line of %d characters is broken, and nothing of it is lost",
    (length) => {
      for (const size of [8192, 65_536, 2_000_000]) {
        const text = "x".repeat(length);
        const lines = safe(`short\n${text}\nshort\n`, size).split("\n");
        expect(lines.every((line) => line.length <= LINE_MOST)).toBe(true);
        expect(lines.slice(1, -2).join("")).toBe(text);
        expect(lines.length).toBe(3 + Math.ceil(length / LINE_MOST));
      }
    },
  );

  test("no character of two units is cut in half", () => {
    const text = `x${"😀".repeat(100_000)}`;
    for (const size of [8192, 1_000_000]) expect(safe(text, size).replaceAll("\n", "")).toBe(text);
  });

  test("a secret is hidden wherever it stands in an endless line, by whatever pieces it comes", () => {
    for (const size of [1, 1000, 8192, 16_384, 65_536]) {
      for (const at of [0, 16_370, 16_384, 65_520, 65_536, 131_060]) {
        const out = safe(`${"x".repeat(at)}${SECRET}${"y".repeat(100_000)}`, size).replaceAll("\n", "");
        expect(out).toBe(`${"x".repeat(at)}***${"y".repeat(100_000)}`);
      }
    }
  });

  test("holds back a bounded amount", () => {
    const lines = new SafeLines(mask);
    let out = 0;
    for (let round = 1; round <= 1000; round++) {
      out += lines.push(bytes("x".repeat(8192))).replaceAll("\n", "").length;
      expect(round * 8192 - out).toBeLessThan(5 * LINE_MOST);
    }
  });
});

describe("RawLines", () => {
  const all = (input: string, size: number) => {
    const lines = new RawLines(mask);
    const out: string[] = [];
    for (let at = 0; at < input.length; at += size)
      out.push(...lines.push(bytes(input.slice(at, at + size))));
    return [...out, ...lines.end()];
  };

  test.each<[string, string[]]>([
    ["", []],
    ["a\nb\n", ["a", "b"]],
    ["a\nb", ["a", "b"]],
    ["\n\n", ["", ""]],
    [`{"x":"${SECRET}"}\n`, [`{"x":"${SECRET}"}`]],
  ])("%j is left as it is", (input, lines) => {
    for (const size of [1, 3, 1000]) expect(all(input, size)).toEqual(lines);
  });

  test("a line too long to be parsed is cut, but no secret in it", () => {
    for (const at of [2 ** 20 - 1025, 2 ** 20 - 10, 2 ** 20 + 5]) {
      const out = all(`{${"x".repeat(at)}${SECRET}${"y".repeat(30_000)}\nnext\n`, 4096);
      expect(out.at(-1)).toBe("next");
      expect(out.length).toBe(3);
      expect(out.join("")).not.toContain(SECRET);
      expect(mask(out.slice(0, -1).join(""))).toBe(`{${"x".repeat(at)}***${"y".repeat(30_000)}`);
    }
  });

  test("plain words that do not end are cut much earlier, but no secret in them", () => {
    for (const at of [2 ** 16 - 1025, 2 ** 16 - 10, 2 ** 16 + 5, 2 ** 17]) {
      const out = all(`${"x".repeat(at)}${SECRET}${"y".repeat(30_000)}\n`, 4096);
      expect(Math.max(...out.map((line) => line.length))).toBeLessThan(2 ** 17);
      expect(mask(out.join(""))).toBe(`${"x".repeat(at)}***${"y".repeat(30_000)}`);
    }
  });
});
