import { expect, test } from "bun:test";
import { prefixLines } from "../lib/log/stdout.ts";

const prefixed = (head: string, lines: string) => prefixLines(head, lines).toString();

test.each<[string, string, string]>([
  ["> ", "", ""],
  ["> ", "\n", "> \n"],
  ["> ", "one\n", "> one\n"],
  ["> ", "one\n\ntwo\n", "> one\n> \n> two\n"],
  ["", "one\ntwo\n", "one\ntwo\n"],
  ["ä ", "€\n😀\n", "ä €\nä 😀\n"],
  ["$& ", `${"a line of ordinary length\n".repeat(20)}`, "$& a line of ordinary length\n".repeat(20)],
])("%j before %j", (head, lines, result) => expect(prefixed(head, lines)).toBe(result));

test("a shorter text after a longer one has nothing of it", () => {
  const long = "x\n".repeat(10_000);
  expect(prefixed("> ", long)).toBe("> x\n".repeat(10_000));
  expect(prefixed("> ", "y\n")).toBe("> y\n");
});
