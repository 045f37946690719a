/** A tree of everything that a restore must bring back, and descriptions of trees that can be compared. */

import { expect } from "bun:test";

/** Makes the tree below the folder `sys.argv[1]`: names, kinds, modes, times, owners, links, attributes. */
const MAKE = `
import os, sys
root = os.fsencode(sys.argv[1])
def put(name, data=b"", mode=0o644, time=None):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path
put(b"docs/plain.txt", b"plain\\n")
put(b"docs/empty")
put(b"docs/no-one.txt", b"secret", 0o000)
put(b"docs/set-uid", b"#!/bin/sh\\n", 0o4755)
put(b"docs/deep/er/still/leaf.txt", b"leaf\\n", 0o600)
put(b"photos/large.bin", bytes(range(256)) * 12000 + os.urandom(200000))
put("photos/grüße mit Leerzeichen.jpg".encode(), b"jpg")
put(b"odd/new\\nline", b"n")
put(b"odd/latin-\\xe9\\xff", b"l")
put(b"odd/-dash", b"d")
put(b"odd/" + b"x" * 150 + b"/" + b"y" * 200, b"long")
put(b"logs/app.log", b"log\\n" * 1000)
put(b"logs/app.tmp", b"tmp\\n")
os.makedirs(os.path.join(root, b"hollow"))
os.symlink(b"plain.txt", os.path.join(root, b"docs/relative"))
os.symlink(b"/nowhere/at/all", os.path.join(root, b"docs/dangling"))
os.symlink(b"../docs", os.path.join(root, b"photos/folder"))
outside = os.path.join(os.path.dirname(root), b"outside.txt")
with open(outside, "wb") as f:
    f.write(b"not part of the tree\\n")
os.symlink(outside, os.path.join(root, b"docs/outside"))
os.link(os.path.join(root, b"docs/plain.txt"), os.path.join(root, b"docs/hard"))
os.mkfifo(os.path.join(root, b"docs/pipe"))
os.chmod(os.path.join(root, b"photos"), 0o1777)
os.chmod(os.path.join(root, b"logs"), 0o2750)
for name, key, value in ((b"docs/plain.txt", "user.origin", b"here\\0there"), (b"photos", "user.album", b"yes")):
    os.setxattr(os.path.join(root, name), key, value)
if os.geteuid() == 0:
    os.chown(os.path.join(root, b"docs/deep/er/still/leaf.txt"), 1234, 5678)
    os.chown(os.path.join(root, b"docs/relative"), 1234, 5678, follow_symlinks=False)
    os.chown(os.path.join(root, b"logs"), 4321, 8765)
    os.chmod(os.path.join(root, b"logs"), 0o2750)
for folder, names, files in os.walk(root, topdown=False):
    for at, name in enumerate(sorted(names + files)):
        ns = 946684800_000000000 + at * 1_000_000_001 + 123456789
        os.utime(os.path.join(folder, name), ns=(ns, ns), follow_symlinks=False)
os.utime(root, (946684800, 946684800))
`;

/** One line for everything below a folder. Hard links to one file are identified by the first of their names. */
const DESCRIBE = `
import hashlib, json, os, stat, sys
root = os.fsencode(sys.argv[1])
inodes, lines = {}, []
for folder, names, files in os.walk(root):
    names.sort()
    for name in sorted(names + files):
        path = os.path.join(folder, name)
        at = os.path.relpath(path, root)
        s = os.lstat(path)
        parts = [repr(at), stat.filemode(s.st_mode), "%d:%d" % (s.st_uid, s.st_gid), str(s.st_mtime_ns)]
        if stat.S_ISLNK(s.st_mode):
            parts.append("-> %r" % os.readlink(path))
        if stat.S_ISREG(s.st_mode):
            parts += [str(s.st_size), hashlib.sha256(open(path, "rb").read()).hexdigest()[:16]]
            if s.st_nlink > 1:
                parts.append("as %r" % inodes.setdefault(s.st_ino, at))
        try:
            keys = sorted(os.listxattr(path, follow_symlinks=False))
        except OSError:
            keys = []
        parts += ["%s=%r" % (key, os.getxattr(path, key, follow_symlinks=False)) for key in keys]
        lines.append(" ".join(parts))
print(json.dumps(sorted(lines)))
`;

function python(script: string, ...args: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["python3", "-c", script, ...args]);
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.toString();
}

export function makeTree(folder: string): void {
  python(MAKE, folder);
}

export function describeTree(folder: string): string[] {
  return JSON.parse(python(DESCRIBE, folder));
}

export const isRoot = process.geteuid?.() === 0;
