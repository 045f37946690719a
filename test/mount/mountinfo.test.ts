import { expect, test } from "bun:test";
import { findMount, hasResticMount, parseMountinfo } from "../../lib/files/mounts.ts";

const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
42 27 0:39 / /fusemount ro,nosuid - fuse restic ro,user_id=0
43 27 0:40 / /mnt/with\\040blank\\134slash ro - fuse restic:6ec9ed10e3 ro
44 27 0:41 / /mnt/other ro - fuse.sshfs host:/ ro
45 27 0:42 / /mnt/resticish ro - fuse resticish ro
not a line of it
`;

test("reads mount points, types and sources", () => {
  expect(parseMountinfo(text)).toEqual([
    { at: "/proc", type: "proc", source: "proc" },
    { at: "/", type: "ext4", source: "/dev/vda" },
    { at: "/fusemount", type: "fuse", source: "restic" },
    { at: "/mnt/with blank\\slash", type: "fuse", source: "restic:6ec9ed10e3" },
    { at: "/mnt/other", type: "fuse.sshfs", source: "host:/" },
    { at: "/mnt/resticish", type: "fuse", source: "resticish" },
  ]);
});

test.each([
  ["/fusemount", true],
  ["/mnt/with blank\\slash", true],
  ["/fuse", false],
  ["/mnt/other", false],
  ["/mnt/resticish", false],
  ["/", false],
])("a repository at %s: %p", (place, mounted) => {
  expect(hasResticMount(parseMountinfo(text), place)).toBe(mounted);
});

test.each([
  ["/", "/"],
  ["/etc/passwd", "/"],
  ["/proc/self", "/proc"],
  ["/processes", "/"],
  ["/mnt/other", "/mnt/other"],
  ["/mnt/otherwise", "/"],
])("%s lies in the mount at %s", (path, at) => {
  expect(findMount(parseMountinfo(text), path)?.at).toBe(at);
});

test("of two mounts at one point the later one counts", () => {
  const mounts = [
    { at: "/", type: "overlay", source: "overlay" },
    { at: "/a", type: "ext4", source: "/dev/sda" },
    { at: "/a", type: "tmpfs", source: "tmpfs" },
  ];
  expect(findMount(mounts, "/a/b")?.type).toBe("tmpfs");
});
