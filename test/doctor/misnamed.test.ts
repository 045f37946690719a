import { describe, expect, test } from "bun:test";
import { misnamed } from "../../lib/doctor/hooks.ts";

const workers = [
  { name: "backup" },
  { name: "check" },
  { name: "replicate", aliases: ["bisync"] },
  { name: "restore" },
  { name: "snapshot-export" },
  { name: "mount-snapshot" },
];
const meant = (name: string, isFolder = false) =>
  misnamed([{ name, isFolder }], workers).map((each) => each.nearest);

describe("looks meant as a hook", () => {
  test.each<[string, string | undefined]>([
    ["pre-backups.sh", "pre-backup.sh"],
    ["pre-backup", "pre-backup.sh"],
    ["backup-pre.sh", "pre-backup.sh"],
    ["pre-backup.sh.bak", "pre-backup.sh"],
    ["pre-backup.sh~", "pre-backup.sh"],
    ["pre-backup.sh.disabled", "pre-backup.sh"],
    ["pre-backup.bash", "pre-backup.sh"],
    ["pre-backup.py", "pre-backup.sh"],
    ["pre-backup.1", "pre-backup.sh"],
    ["Pre-Backup.sh", "pre-backup.sh"],
    ["pre_backup.sh", "pre-backup.sh"],
    ["prebackup.sh", "pre-backup.sh"],
    ["post backup.sh", "post-backup.sh"],
    ["post-bakcup.sh", "post-backup.sh"],
    ["backup.post.sh", "post-backup.sh"],
    ["pre-mount.sh", "pre-mount-snapshot.sh"],
    ["pre_snapshot_export.sh", "pre-snapshot-export.sh"],
    ["post-bisync.sh", "post-replicate.sh"],
    ["bisync_post.sh", "post-replicate.sh"],
    ["pre-flight.sh", undefined],
    ["post-install", undefined],
  ])("%s: %s", (name, wanted) => expect(meant(name)).toEqual([wanted]));

  test("a folder is told of the folder's name", () => {
    expect(meant("pre-backups.d", true)).toEqual(["pre-backup.d"]);
    expect(meant("pre-backup", true)).toEqual(["pre-backup.d"]);
  });
});

describe("is left alone", () => {
  test.each([
    "pre-backup.sh",
    "pre-backup.d",
    "post-mount-snapshot.sh",
    "README.md",
    "common.sh",
    "lib",
    "backup.sh",
    "postgres-dump.sh",
    "prepare.sh",
    "preload.sh",
    "..data",
    ".pre-backup.sh.swp",
    "slack.json",
  ])("%s", (name) => expect(meant(name)).toEqual([]));
});
