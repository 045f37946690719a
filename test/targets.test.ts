import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realPath } from "../lib/paths.ts";
import { judgeTarget, sourcePlaces } from "../lib/run/target.ts";

const places = [
  { path: "/", name: "the root", inside: false },
  { path: "/data", name: "the data", inside: true },
  { path: "/data/music", name: "the music", inside: true },
  { path: "/var", name: "a shared place", inside: false },
  { path: "/var/log/backup", name: "the log", inside: false },
];
const unasked = () => {
  throw new Error("A place speaks against it: nobody need look.");
};

describe("judgeTarget", () => {
  test.each([
    ["/", "it is the root"],
    ["/data", "it is the data"],
    ["/data/music", "it is the music"],
    ["/data/music/a", "it is inside the music"],
    ["/data/new", "it is inside the data"],
    ["/var", "it is a shared place"],
    ["/var/log", "it is above the log"],
  ])("%s is refused, gravely", (path, why) => {
    expect(judgeTarget(path, places, unasked)).toEqual({ why, grave: true });
  });

  test.each(["/database", "/restore", "/var/mount", "/dat", "/music/data"])("%s is not", (path) => {
    expect(judgeTarget(path, places, () => true)).toBeUndefined();
    expect(judgeTarget(path, places, () => false)).toEqual({ why: "it is not empty", grave: false });
  });

  test("who backs up / may still use what is inside of it", () => {
    const sources = sourcePlaces(["/", "/srv/a"]);
    expect(sources.map(({ path, inside }) => [path, inside])).toEqual([
      ["/", false],
      ["/data", true],
      ["/srv/a", true],
    ]);
    expect(judgeTarget("/restore", sources, () => true)).toBeUndefined();
    expect(judgeTarget("/srv/a/b", sources, unasked)?.why).toBe("it is inside BACKUP_ROOT_DIR /srv/a");
    expect(judgeTarget("/", sources, unasked)?.why).toBe("it is the root of the file system");
  });
});

test("real paths go through links, those too that lead to what is not there yet", () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "rbh-targets-")));
  try {
    mkdirSync(join(dir, "full/sub"), { recursive: true });
    symlinkSync("full/sub", join(dir, "link"));
    symlinkSync("loop", join(dir, "loop"));
    symlinkSync("full/later", join(dir, "relative"));
    symlinkSync(join(dir, "link/later"), join(dir, "absolute"));
    expect(realPath(`${dir}/link/../new/deep`)).toBe(join(dir, "full/new/deep"));
    expect(realPath(join(dir, "relative"))).toBe(join(dir, "full/later"));
    expect(realPath(join(dir, "relative/deep"))).toBe(join(dir, "full/later/deep"));
    expect(realPath(join(dir, "absolute/deep/"))).toBe(join(dir, "full/sub/later/deep"));
    expect(() => realPath(join(dir, "loop"))).toThrow("ELOOP");
    expect(realPath("/")).toBe("/");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
