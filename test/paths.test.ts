import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { absolute, isVacant, realPath, relation } from "../lib/paths.ts";

test.each([
  ["/", "/"],
  ["/a/b/", "/a/b"],
  ["//a///b", "/a/b"],
  ["/a/./b/../c", "/a/c"],
  ["/../..", "/"],
  ["x/y", "/home/x/y"],
  [".", "/home"],
  ["", "/home"],
])("absolute %p is %p", (path, found) => expect(absolute(path, "/home")).toBe(found));

test.each([
  ["/a", "/a", "same"],
  ["/a/b", "/a", "inside"],
  ["/a", "/a/b", "above"],
  ["/ab", "/a", undefined],
  ["/a", "/ab", undefined],
  ["/", "/a", "above"],
  ["/a", "/", "inside"],
  ["/", "/", "same"],
] as const)("%p is to %p: %p", (path, other, found) => expect(relation(path, other)).toBe(found));

describe("on the disk", () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "rbh-paths-")));
  afterAll(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "real/sub"), { recursive: true });
  symlinkSync("real/sub", join(dir, "link"));
  symlinkSync("loop", join(dir, "loop"));
  writeFileSync(join(dir, "file"), "");

  test.each([
    ["link", "real/sub"],
    ["link/new/er", "real/sub/new/er"],
    // As the kernel goes: .. is above what the link leads to.
    ["link/../x", "real/x"],
    ["missing/../x", "x"],
    ["real", "real"],
  ])("%p leads to %p", (path, found) => expect(realPath(join(dir, "/") + path)).toBe(join(dir, found)));

  test("a loop of links is an error", () => expect(() => realPath(join(dir, "loop/x"))).toThrow("ELOOP"));

  test("what is vacant", () => {
    expect(isVacant(join(dir, "missing"))).toBe(true);
    expect(isVacant(join(dir, "real/sub"))).toBe(true);
    expect(isVacant(join(dir, "real"))).toBe(false);
    expect(() => isVacant(join(dir, "file"))).toThrow("ENOTDIR");
  });
});
