/** Which files are hooks, and in which order they run. */

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, symlinkSync } from "node:fs";
import { hookIn, isRoot, world } from "../support/hooked.ts";
import type { World } from "../support/world.ts";

describe("a hook that runs", () => {
  test.each<[string, (it: World) => unknown]>([
    ["a file", (it) => it.hook("pre-backup", "echo ran $0")],
    ["without a #! line", (it) => it.file("hooks/pre-backup.sh", "echo ran $0\n", 0o755)],
    ["blanks after #!", (it) => it.file("hooks/pre-backup.sh", "#!  /bin/sh  -e \necho ran $0\n", 0o755)],
    ["env -S", (it) => it.file("hooks/pre-backup.sh", "#!/usr/bin/env -S sh -eu\necho ran $0\n", 0o755)],
    ["CRLF after an LF", (it) => it.file("hooks/pre-backup.sh", "#!/bin/sh\necho ran $0 #\r\n", 0o755)],
  ])("%s", async (_, make) => {
    using it = world();
    await make(it);
    const { code, stdout } = await it.run("backup");
    expect({ code, errors: stdout.match(/ERROR|WARN/g) }).toEqual({ code: 0, errors: null });
    expect(stdout).toContain(`pre-backup | ran ${hookIn(it)}\n`);
  });

  test("a program, and one behind the links of a ConfigMap", async () => {
    using it = world();
    it.folder("hooks/..2026");
    symlinkSync("..2026", `${it.hooks}/..data`);
    symlinkSync("..data/pre-backup.sh", hookIn(it));
    await it.exec(["cp", Bun.which("echo") ?? "echo", `${it.hooks}/..2026/pre-backup.sh`]);
    symlinkSync("pre-backup.sh", `${it.hooks}/post-backup.sh`);
    expect((await it.run("backup")).stdout).toContain("post-backup | 0\n");
    expect(it.record().hooks.map((hook: { exit_code: number }) => hook.exit_code)).toEqual([0, 0]);
  });

  test.each<[string, (it: World) => void, string]>([
    [
      "others can write it",
      (it) => chmodSync(hookIn(it), 0o777),
      "others than its owner can write it (mode 0777)",
    ],
    ["its group can", (it) => chmodSync(hookIn(it), 0o775), "others than its owner can write it (mode 0775)"],
    ...(isRoot
      ? [
          [
            "it is a stranger's",
            (it: World) => chownSync(hookIn(it), 12345, 0),
            "it belongs to user 12345",
          ] as [string, (it: World) => void, string],
        ]
      : []),
  ])("%s: a warning", async (_, spoil, caution) => {
    using it = world();
    it.hook("pre-backup", "echo ran");
    spoil(it);
    const { stdout } = await it.run("backup");
    expect(stdout).toMatch(/ WARN {2}backup {2}hooks\/pre-backup\.sh: /);
    expect(stdout).toContain(caution);
    expect(stdout).toContain("pre-backup | ran\n");
  });
});

test("an absent hook is one quiet line in the run's own log", async () => {
  using it = world();
  const { stdout } = await it.run("backup");
  expect(stdout).not.toContain("hook");
  for (const phase of ["pre-backup", "post-backup"]) {
    expect(it.read("log/backup-last.log")).toContain(`INFO  backup  hook ${phase}: none in ${it.hooks}\n`);
  }
  expect((await it.run("backup", [], { env: { HOOKS_DIR: "/nowhere" } })).code).toBe(0);
});

test("the order: the hook, then its folder in byte order, nothing hidden, nothing else", async () => {
  using it = world();
  const names = ["10-b", "2-a", "A", "a b", "a", "Z", "ä", "é", "😀", "\uff5e", "z'\"$", "new\nline"];
  for (const name of names) it.hook(`pre-backup.d/${name}`, "echo ran");
  for (const name of [".hidden", "..data"]) it.hook(`pre-backup.d/${name}`, "echo must not run");
  it.file("hooks/pre-backup.d/no-suffix", "#!/bin/sh\necho must not run\n", 0o755);
  it.file("hooks/pre-backups.sh", "#!/bin/sh\necho must not run\n", 0o755);
  it.hook("pre-backup", "echo ran; exit 1");
  const { stdout } = await it.run("backup");
  const inBytes = names
    .map((name) => `${name}.sh`)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const run = it.record().hooks.map((hook: { path: string }) => hook.path.slice(it.hooks.length + 1));
  expect(run).toEqual(["pre-backup.sh", ...inBytes.map((name) => `pre-backup.d/${name}`)]);
  expect(stdout.match(/pre-backup \| ran\n/g)?.length).toBe(names.length + 1);
  expect(stdout).not.toContain("must not run");
});
