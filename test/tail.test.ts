import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastLines } from "../lib/files/tail.ts";

const scratch = mkdtempSync(join(tmpdir(), "rbh-tail-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const file = (content: string | Uint8Array) => {
  const path = join(scratch, "file");
  writeFileSync(path, content);
  return path;
};
const MiB = 1024 * 1024;

describe("the last lines", () => {
  test.each<[string, string[]]>([
    ["", []],
    ["\n", [""]],
    ["one", ["one"]],
    ["one\n", ["one"]],
    ["one\ntwo\nthree\n", ["two", "three"]],
    ["one\ntwo\nthree", ["two", "three"]],
    ["one\n\n\n", ["", ""]],
  ])("two of %j", (text, wanted) => {
    expect(lastLines(file(text), 2, MiB)).toEqual({ lines: wanted, size: Buffer.byteLength(text) });
  });

  test("of a file that takes several reads", () => {
    const lines = Array.from({ length: 50_000 }, (_, at) => `line ${at} ü`);
    const path = file(`${lines.join("\n")}\n`);
    expect(lastLines(path, 40, MiB).lines).toEqual(lines.slice(-40));
    expect(lastLines(path, 12_345, MiB).lines).toEqual(lines.slice(-12_345));
  });

  test("never more than the bound is read; a line of which only a part was read is left out", () => {
    const path = file(`${"x".repeat(3 * MiB)}\nlast\n`);
    expect(lastLines(path, 40, MiB).lines).toEqual(["last"]);
    expect(lastLines(file("y".repeat(2 * MiB)), 40, MiB).lines).toEqual([]);
  });

  test("invalid UTF-8 is replaced", () => {
    expect(lastLines(file(Uint8Array.of(97, 0xff, 98, 10)), 2, MiB).lines).toEqual(["a\ufffdb"]);
  });
});

test("what is no regular file is refused and not waited for", async () => {
  const pipe = join(scratch, "pipe");
  await Bun.spawn(["mkfifo", pipe]).exited;
  expect(() => lastLines(pipe, 1, MiB)).toThrow("it is not a regular file");
  expect(() => lastLines(scratch, 1, MiB)).toThrow("it is not a regular file");
  expect(() => lastLines("/dev/zero", 1, MiB)).toThrow("it is not a regular file");
  expect(() => lastLines(join(scratch, "none"), 1, MiB)).toThrow("ENOENT");
});
