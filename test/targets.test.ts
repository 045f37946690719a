import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Settings } from "../lib/config/settings.ts";
import { lookAtTarget, realPath, refusalOf, sourcePlaces, type Target } from "../lib/targets.ts";

const forbidden = [
  { path: "/", what: "the root", inside: false },
  { path: "/data", what: "the data", inside: true },
  { path: "/data/music", what: "the music", inside: true },
  { path: "/var", what: "a shared place", inside: false },
];
const directory = (real: string, more: Partial<Target> = {}): Target => ({
  given: real,
  real,
  kind: "directory",
  empty: true,
  ...more,
});

test.each([
  ["/", "forbidden", "it is the root"],
  ["/data", "forbidden", "it is the data"],
  ["/data/music", "forbidden", "it is the music"],
  ["/data/music/a", "forbidden", "it lies inside /data/music, the music"],
  ["/data/new", "forbidden", "it lies inside /data, the data"],
  ["/var", "forbidden", "it is a shared place"],
] as const)("%s is refused", (path, rule, reason) => {
  expect(refusalOf({ target: directory(path), forbidden })).toEqual({ rule, reason });
});

test.each(["/database", "/restore", "/var/mount", "/dat", "/music/data"])("%s is not refused", (path) => {
  expect(refusalOf({ target: directory(path), forbidden })).toBeUndefined();
});

test("what lies above a forbidden place is refused, whether the place lets others inside or not", () => {
  const deep = [{ path: "/a/b/c", what: "the log", inside: false }];
  expect(refusalOf({ target: directory("/a"), forbidden: deep })).toEqual({
    rule: "forbidden",
    reason: "it lies above /a/b/c, the log",
  });
});

test("a link is named with where it leads", () => {
  expect(refusalOf({ target: directory("/data", { given: "/tmp/x" }), forbidden })).toEqual({
    rule: "forbidden",
    reason: "/tmp/x leads to /data, and it is the data",
  });
});

test("a file and a full directory are refused by rules of their own, after the places", () => {
  expect(refusalOf({ target: directory("/x", { kind: "other", empty: false }), forbidden })?.rule).toBe(
    "not a directory",
  );
  expect(refusalOf({ target: directory("/x", { empty: false }), forbidden })?.rule).toBe("not empty");
  expect(refusalOf({ target: directory("/x", { kind: "missing" }), forbidden })).toBeUndefined();
  expect(refusalOf({ target: directory("/data", { empty: false }), forbidden })?.rule).toBe("forbidden");
});

test("real paths go through links, and on from where nothing is yet", () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "rbh-targets-")));
  try {
    mkdirSync(join(dir, "full"));
    writeFileSync(join(dir, "full/file"), "");
    mkdirSync(join(dir, "empty"));
    symlinkSync("full", join(dir, "link"));
    symlinkSync("loop", join(dir, "loop"));
    symlinkSync(join(dir, "nowhere"), join(dir, "dangling"));
    expect(realPath(join(dir, "link/../link/new/deep"))).toBe(join(dir, "full/new/deep"));
    expect(realPath(join(dir, "loop"))).toBe(join(dir, "loop"));
    expect(realPath("/")).toBe("/");
    expect(lookAtTarget(join(dir, "link"))).toMatchObject({ real: join(dir, "full"), empty: false });
    expect(lookAtTarget(join(dir, "empty"))).toMatchObject({ kind: "directory", empty: true });
    expect(lookAtTarget(join(dir, "link/file"))).toMatchObject({ kind: "other" });
    expect(lookAtTarget(join(dir, "dangling"))).toMatchObject({
      real: join(dir, "nowhere"),
      kind: "missing",
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("the sources are the root itself, /data and every BACKUP_ROOT_DIR", () => {
  const settings = new Settings({ BACKUP_ROOT_DIR: "/srv/a\n/\n" }, () => {});
  const places = sourcePlaces(settings).map(({ path, inside }) => [path, inside]);
  expect(places).toEqual([
    ["/", false],
    ["/data", true],
    ["/srv/a", true],
    ["/", false],
  ]);
});
