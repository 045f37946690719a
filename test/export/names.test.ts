import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ancestry, defaultOutput, formatOf, plainPath } from "../../lib/export/export-plan.ts";
import { ownMark, removeDeadWorkDirs } from "../../lib/run/workdir.ts";
import { loadZone } from "../../lib/time/zone.ts";

test.each([
  ["/restore/x.tar.gz", "tar.gz"],
  ["x.tar.zst", "tar.zst"],
  ["a.tar.gz.tar", "tar"],
] as const)("%p is a %s", (output, format) => expect(formatOf(output)).toBe(format));

test.each(["x", "x.tgz", "x.tar.xz", "x.TAR", "/restore/.tar.gz", "", "tar"])("%p is refused", (output) =>
  expect(() => formatOf(output)).toThrow("does not end in one of .tar.gz, .tar.zst, .tar"),
);

test("a name of its own", () => {
  const at = Date.UTC(2026, 4, 11, 7, 30);
  expect(defaultOutput("5ce8c2e7", at, loadZone("CET-2"))).toBe(
    "/restore/snapshot-export-5ce8c2e7-20260511-093000.tar.gz",
  );
});

test.each<[string[], string | undefined]>([
  [[], "/"],
  [["/"], "/"],
  [["/data"], "/data"],
  [["/data//sub/"], "/data/sub"],
  [["/data/with space [not"], undefined],
  [["/data/*.txt"], undefined],
  [["/data/?"], undefined],
  [["/data/back\\slash"], undefined],
  [["/data/../etc"], undefined],
  [["/data/./x"], undefined],
  [["/data/..x"], "/data/..x"],
  [["data"], undefined],
  [["!/data"], undefined],
  [["/a", "/b"], undefined],
])("%j names %p", (include, path) => expect(plainPath(include)).toBe(path));

test.each<[string, string[]]>([
  ["/", []],
  ["/a", ["/a"]],
  ["/a/b/c", ["/a", "/a/b", "/a/b/c"]],
])("above %p: %j", (path, paths) => expect(ancestry(path)).toEqual(paths));

describe("leftovers", () => {
  const dir = mkdtempSync(join(tmpdir(), "rbh-leftovers-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const now = Date.now();
  const put = (name: string, ageDays = 0) => {
    const path = join(dir, name);
    writeFileSync(path, "");
    utimesSync(path, now / 1000 - ageDays * 86_400, now / 1000 - ageDays * 86_400);
    return name;
  };

  test("only those of processes that are gone, or that nobody has touched for long", async () => {
    const own = ownMark("part");
    const gone = own.replace(/rbh-\d+/, "rbh-4194304");
    const reused = own.replace(/-\d+-(\d+)\.part$/, "-1-$1.part");
    const elsewhere = own.replace(/\d+\.part$/, "1.part");
    const kept = [
      put(`a.tar.${own}`),
      put(`e.tar.${elsewhere}`, 6),
      put("mine.part", 30),
      put("rbh-1-1.part", 30),
      put("x.rbh-1-1-1.partial", 30),
    ];
    const removed = [put(`b.tar.${gone}`), put(`c.tar.${reused}`), put(`f.tar.${elsewhere}`, 8)];
    const folder = `snapshot-export.${ownMark("work").replace(/rbh-\d+/, "rbh-4194304")}`;
    mkdirSync(join(dir, folder, "deep/er"), { recursive: true });
    expect((await removeDeadWorkDirs(dir, now)).sort()).toEqual([...removed, folder].sort());
    expect(kept.filter((name) => !existsSync(join(dir, name)))).toEqual([]);
  });

  test("a folder that is not there has none", async () =>
    expect(await removeDeadWorkDirs(join(dir, "missing"))).toEqual([]));
});
