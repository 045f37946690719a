import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { END, type Member, padding, TarScan, tarHeader } from "../../lib/export/tar.ts";
import { lacks, needing } from "../support/needing.ts";

const dir = mkdtempSync(join(tmpdir(), "rbh-tar-"));
afterAll(() => rmSync(dir, { recursive: true }));

const long = `${"x".repeat(90)}/${"y".repeat(120)}`;
Bun.spawnSync(["mkdir", "-p", join(dir, "tree/a", "x".repeat(90)), join(dir, "tree/empty")]);
writeFileSync(join(dir, "tree/a/plain"), "plain\n");
writeFileSync(join(dir, "tree/a/large"), Buffer.alloc(100_000, 7));
writeFileSync(join(dir, "tree/a", long), "long");
writeFileSync(join(dir, "tree/a/grüße"), "");
symlinkSync("z".repeat(150), join(dir, "tree/a/link"));

/** The archive that a program makes of that tree. */
function archive(...command: string[]): Buffer {
  const { exitCode, stdout } = Bun.spawnSync([...command, "-cf", "-", "-C", join(dir, "tree"), "a", "empty"]);
  expect(exitCode).toBe(0);
  return stdout;
}

function scan(bytes: Uint8Array, chunk: number, leaveOut?: ReadonlySet<string>) {
  const names: string[] = [];
  const scan = new TarScan(leaveOut, (name) => names.push(name));
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    for (const part of scan.members(bytes.subarray(at, at + chunk))) parts.push(part.slice());
  }
  return { scan, names: names.sort(), passed: Buffer.concat(parts) };
}

const NAMES = [
  "a/",
  `a/${"x".repeat(90)}/`,
  `a/${long}`,
  "a/grüße",
  "a/large",
  "a/link",
  "a/plain",
  "empty/",
];

describe.each([
  ["GNU tar, pax", ["tar", "--format=posix"]],
  ["GNU tar, gnu", ["tar", "--format=gnu"]],
  ["GNU tar, with attributes", ["tar", "--format=posix", "--xattrs", "--acls"]],
  ...(lacks("busybox") ? [] : [["busybox tar", ["busybox", "tar"]] as const]),
])("an archive by %s", (_, command) => {
  const bytes = archive(...command);

  test.each([1, 511, 512, 513, 65_536, 1 << 30])("in pieces of %i bytes", (chunk) => {
    const { scan: found, names, passed } = scan(chunk === 1 ? bytes.subarray(0, 6000) : bytes, chunk);
    if (chunk === 1) return expect(names.length).toBeGreaterThan(1);
    expect(names).toEqual([...NAMES].sort());
    expect(found).toMatchObject({ files: 5, folders: 3, bytes: 100_010, complete: true });
    // What passed is the archive but for its end.
    expect(bytes.subarray(0, passed.length).equals(passed)).toBe(true);
    expect(bytes.subarray(passed.length).every((byte) => byte === 0)).toBe(true);
  });

  test("two in a row are one; a broken one is not complete", () => {
    const { scan: found } = scan(Buffer.concat([bytes, bytes]), 10_000);
    expect(found).toMatchObject({ files: 10, folders: 6, complete: true });
    expect(scan(bytes.subarray(0, bytes.length - 20_000), 10_000).scan.complete).toBe(false);
    expect(scan(bytes.subarray(0, 50_000), 10_000).scan.complete).toBe(false);
    expect(scan(new Uint8Array(0), 1).scan.complete).toBe(false);
  });

  test("an empty member can be left out, with all that is said of it", () => {
    const { names, passed } = scan(bytes, 700, new Set(["a/grüße", "a/plain"]));
    expect(names).toEqual(NAMES.filter((name) => name !== "a/grüße").sort());
    writeFileSync(join(dir, "left-out.tar"), Buffer.concat([passed, END]));
    const { stdout } = Bun.spawnSync(["tar", "--quoting-style=literal", "-tf", join(dir, "left-out.tar")]);
    expect(stdout.toString().trim().split("\n").sort()).toEqual(names);
  });
});

needing("python3").describe("tarHeader", () => {
  const member = (rest: Partial<Member>): Member => ({
    path: "data/file",
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 1_000_000_000,
    size: 0,
    ...rest,
  });
  const list = (bytes: Uint8Array) => {
    writeFileSync(join(dir, "x.tar"), bytes);
    const script = `import sys, tarfile
for m in tarfile.open(sys.argv[1]): print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, int(m.mtime), m.size)`;
    const { stdout, stderr } = Bun.spawnSync(["python3", "-c", script, join(dir, "x.tar")]);
    expect(stderr.toString()).toBe("");
    return stdout.toString().trim();
  };

  test.each<[Partial<Member>, string]>([
    [{}, "data/file 0 0o644 0 0 1000000000 0"],
    [{ type: "dir", path: "data", mode: 0o1777, uid: 1, gid: 2 }, "data 5 0o1777 1 2 1000000000 0"],
    [{ mode: 0o4755 }, "data/file 0 0o4755 0 0 1000000000 0"],
    [{ uid: 2 ** 31, gid: 3_000_000 }, "data/file 0 0o644 2147483648 3000000 1000000000 0"],
    [{ mtime: -1 }, "data/file 0 0o644 0 0 -1 0"],
    [{ path: "x".repeat(101) }, `${"x".repeat(101)} 0 0o644 0 0 1000000000 0`],
    [{ path: "x".repeat(98), type: "dir" }, `${"x".repeat(98)} 5 0o644 0 0 1000000000 0`],
    [{ path: `${"x".repeat(2000)}/é` }, `${"x".repeat(2000)}/é 0 0o644 0 0 1000000000 0`],
    [{ path: "new\nline" }, "new\nline 0 0o644 0 0 1000000000 0"],
  ])("%j", (rest, line) => expect(list(Buffer.concat([tarHeader(member(rest)), END]))).toBe(line));

  test("with content, and with more of it than octal digits can count", () => {
    const content = Buffer.from("seven!!");
    const bytes = Buffer.concat([tarHeader(member({ size: 7 })), content, padding(7), END]);
    expect(bytes.length % 512).toBe(0);
    expect(list(bytes)).toBe("data/file 0 0o644 0 0 1000000000 7");
    expect(padding(512)).toHaveLength(0);
    const huge = new TarScan();
    expect([...huge.members(tarHeader(member({ size: 2 ** 40 })))].length).toBeGreaterThan(0);
    expect(huge.bytes).toBe(2 ** 40);
  });
});
