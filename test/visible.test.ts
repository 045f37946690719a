import { describe, expect, test } from "bun:test";
import { singleLine, visible, visibleJson } from "../lib/text.ts";

describe("visible", () => {
  test.each<[string, string]>([
    ["", ""],
    ["plain text, ä € 😀", "plain text, ä € 😀"],
    ["a\tb\nc", "a\tb\nc"],
    ["\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
    ["bell\x07 null\x00 delete\x7f", "bell\\x07 null\\x00 delete\\x7f"],
    ["C1: \x80\x9b", "C1: \\x80\\x9b"],
    ["no-break\u00a0space stays", "no-break\u00a0space stays"],
    ["10%\r20%\r30%", "10%\\r20%\\r30%"],
    ["dos\r\nlines\r\n", "dos\nlines\n"],
    ["\r\r\r\nend\r\r", "\nend"],
    ["overwritten\rtext\r\n", "overwritten\\rtext\n"],
    ["user\u202egnp.exe", "user\\u202egnp.exe"],
    ["\u2066\u2069\u200e\u200f\u061c", "\\u2066\\u2069\\u200e\\u200f\\u061c"],
    ["\u2028 and \u2029 are no line ends", "\\u2028 and \\u2029 are no line ends"],
    ["\ufeffmark", "\\ufeffmark"],
    ["zero\u200dwidth joiner of 👩\u200d🚀", "zero\u200dwidth joiner of 👩\u200d🚀"],
    ["replaced \ufffd", "replaced \ufffd"],
  ])("%j", (text, shown) => expect(visible(text)).toBe(shown));

  test("is done once: what it writes stays as it is", () => {
    const every = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join("");
    expect(visible(visible(every))).toBe(visible(every));
  });

  test("a megabyte of CRs takes milliseconds, not minutes", () => {
    const begun = performance.now();
    expect(visible(`${"\r".repeat(2 ** 20)}x`)).toBe(`${"\\r".repeat(2 ** 20)}x`);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe("singleLine", () => {
  test.each<[string, string]>([
    ["plain\ttext", "plain\ttext"],
    ["two\nlines", "two\\nlines"],
    ["end\r\n", "end\\r\\n"],
    ["\x1b[2J\nx\u202e", "\\x1b[2J\\nx\\u202e"],
  ])("%j", (text, shown) => {
    expect(singleLine(text)).toBe(shown);
    expect(singleLine(shown)).toBe(shown);
  });
});

test("visibleJson is JSON of the same value, without a control character", () => {
  const value = { every: Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join("") };
  const text = visibleJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(visible(text)).toBe(text);
});
