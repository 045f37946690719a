/** Descriptions of archives and of folders that can be compared: Python's tarfile reads both. */

import { expect } from "bun:test";

const DESCRIBE = `
import hashlib, json, os, stat, subprocess, sys, tarfile
def line(name, kind, mode, uid, gid, mtime, size, content, link, xattrs):
    parts = [repr(name), kind, "%o" % mode, "%d:%d" % (uid, gid), str(mtime)]
    if kind == "file":
        parts += [str(size), hashlib.sha256(content).hexdigest()[:16]]
    if kind == "link":
        parts.append("-> " + link)
    return " ".join(parts + ["%s=%r" % pair for pair in sorted(xattrs)])

def member(tar, m):
    kind = "dir" if m.isdir() else "link" if m.issym() else "file" if m.isreg() else "odd type %r" % m.type
    content = tar.extractfile(m).read() if m.isreg() else b""
    mark = "SCHILY.xattr."
    xattrs = [(k[len(mark):], v.encode("utf-8", "surrogateescape")) for k, v in m.pax_headers.items() if k.startswith(mark)]
    name = m.name.encode("utf-8", "surrogateescape")
    return line(name, kind, m.mode & 0o7777, m.uid, m.gid, round(m.mtime), m.size, content, m.linkname, xattrs)

def archive(path):
    if path.endswith(".zst"):
        stream = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE).stdout
        tar = tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape")
    else:
        tar = tarfile.open(path, errors="surrogateescape")
    return [member(tar, m) for m in tar]

def entry(path, name):
    s = os.lstat(path)
    kinds = ((stat.S_ISDIR, "dir"), (stat.S_ISLNK, "link"), (stat.S_ISREG, "file"))
    kind = next((kind for test, kind in kinds if test(s.st_mode)), None)
    if kind is None:
        return None
    content = open(path, "rb").read() if kind == "file" else b""
    link = os.fsdecode(os.readlink(path)) if kind == "link" else ""
    keys = [k for k in os.listxattr(path, follow_symlinks=False) if k.startswith("user.")] if kind != "link" else []
    xattrs = [(k, os.getxattr(path, k)) for k in keys]
    return line(name, kind, s.st_mode & 0o7777, s.st_uid, s.st_gid, round(s.st_mtime_ns / 10**9), s.st_size, content, link, xattrs)

def folder(path):
    root = os.fsencode(path)
    found = [root]
    above = os.path.dirname(root)
    while above != b"/":
        found.append(above)
        above = os.path.dirname(above)
    for where, names, files in os.walk(root):
        found += [os.path.join(where, name) for name in names + files]
    return [each for each in (entry(path, path[1:]) for path in found) if each]

kind, path = sys.argv[1:]
print(json.dumps(sorted(archive(path) if kind == "archive" else folder(path))))
`;

function describe(kind: "archive" | "folder", path: string): string[] {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["python3", "-c", DESCRIBE, kind, path]);
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout.toString());
}

/** One line for every member, sorted. */
export const describeArchive = (path: string): string[] => describe("archive", path);

/** The lines of an archive of this folder: what is in it, itself, and the folders above it. */
export const describeFolder = (path: string): string[] => describe("folder", path);

/** The names at the beginning of those lines. */
export const namesOf = (lines: readonly string[]): string[] =>
  lines.map((line) => /^b(['"])(.*?)\1 /.exec(line)?.[2] ?? line);
