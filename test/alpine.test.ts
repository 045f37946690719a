/**
 * The musl build among busybox's sh, timeout and flock: a case of each thing that holds for the glibc build too.
 * Its tree is the stand-in for the Alpine image, ../shared/alpine.
 */

import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { Container, canEnter, useAlpine } from "./support/container.ts";
import { waitFor } from "./support/world.ts";

const MIB = 2 ** 20;

const lines = (text: string) => text.trimEnd().split("\n");

describe.skipIf(!canEnter || !useAlpine)("musl and busybox (needs root, tini and ../shared/alpine)", () => {
  test("1: the lifecycle, with real restic and with one that fails", async () => {
    using it = await Container.idle();
    it.hook("pre-backup", "echo pre $# >>/trace; exit 1");
    it.hook("post-backup", 'echo "post $1 $RBH_STATUS $(grep -c snapshot_id "$RBH_RECORD")" >>/trace');
    const real = await it.exec("locked_run", "backup", "/var/run/backup.lock", "/bin/backup");
    expect({ code: real.code, stderr: real.stderr, trace: lines(it.read("trace")) }).toEqual({
      code: 0,
      stderr: "",
      trace: ["pre 0", "post 0 ok 1"],
    });
    expect(it.record()).toMatchObject({
      exit_code: 0,
      status: "ok",
      files_new: 1,
      hooks: [{ exit_code: 1 }, { exit_code: 0 }],
    });
    for (const code of [1, 3, 10, 11, 12, 130]) {
      it.restic(`echo restic >>/trace; exit ${code}`);
      it.file("trace", "");
      expect((await it.exec("/bin/backup")).code).toBe(code);
      expect(lines(it.read("trace"))).toEqual([
        "pre 0",
        "restic",
        `post ${code} ${code === 3 ? "warning" : "failed"} 0`,
      ]);
    }
    expect((await it.exec("flock", "-n", "/var/run/backup.lock", "true")).code).toBe(0);
  });

  test("2: hooks that cannot run here, and those that can", async () => {
    using it = await Container.idle();
    it.restic("exit 0");
    const hooks: [name: string, content: string, mode: number, words: string][] = [
      ["1", "#!/usr/bin/env bash\necho x\n", 0o755, "/usr/bin/env bash: not in this image. It does not run."],
      ["2", "#!/bin/bash -eu\n", 0o755, "/bin/bash: not in this image. It does not run."],
      ["3", "#!/bin/sh\r\necho x\r\n", 0o755, "CRLF line endings. It does not run."],
      ["4", "#!/bin/sh\n", 0o644, "not executable (mode 0644). It does not run."],
      ["5", "#!/bin/sh -eu\necho ran 5\n", 0o755, "pre-backup | ran 5\n"],
      ["6", "#!/usr/bin/env sh\necho ran 6\n", 0o755, "pre-backup | ran 6\n"],
      ["8", "echo ran 8\n", 0o755, "pre-backup | ran 8\n"],
    ];
    for (const [name, content, mode] of hooks) it.file(`hooks/pre-backup.d/${name}.sh`, content, mode);
    const { code, stdout } = await it.exec("backup");
    expect(code).toBe(0);
    for (const [, , , words] of hooks) expect(stdout).toContain(words);
  });

  test("3: a time-out kills all of it, busybox's timeout and its child too; 124 of its own is its own", async () => {
    using it = await Container.idle();
    it.restic("exit 0");
    it.hook(
      "pre-backup",
      "trap '' TERM; timeout 900 sleep 901 & setsid sleep 902 & (setsid sleep 903 >/dev/null 2>&1 &); wait",
    );
    it.hook("post-backup", "timeout 1 sleep 904; echo timeout gave $?; exit 124");
    const { code, stdout } = await it.exec(
      "env",
      "HOOK_TIMEOUT=2",
      "HOOK_KILL_AFTER=1",
      "HOOK_TIMEOUT_POST_BACKUP=0",
      "backup",
    );
    expect(code).toBe(0);
    expect(stdout).toContain("hook pre-backup timed out after 2s (exit 124)");
    expect(stdout).toContain("post-backup | timeout gave 143\n");
    expect(stdout).toMatch(/hook post-backup failed in .* \(exit 124, its own, not a timeout\)/);
    expect(it.processes().filter(({ words }) => /sleep 9/.test(words))).toEqual([]);
    const [pre] = it.record().hooks;
    expect(pre.duration_ms).toBeGreaterThanOrEqual(3000);
  });

  test("4: a daemon that keeps the hook's stdout holds nothing up, and goes on printing", async () => {
    using it = await Container.idle();
    it.restic("exit 0");
    it.file(
      "bin/daemon",
      "#!/bin/sh\nwhile :; do echo tick || exit; echo x >>/ticks; sleep 0.1; done\n",
      0o755,
    );
    it.hook("pre-backup", "daemon &");
    const begun = performance.now();
    expect((await it.exec("backup")).code).toBe(0);
    expect(performance.now() - begun).toBeLessThan(8000);
    expect((await it.exec("flock", "-n", "/var/run/backup.lock", "true")).code).toBe(0);
    const then = it.read("ticks").length;
    await waitFor(() => it.read("ticks").length > then + 10, "the daemon to go on printing");
  });

  test.each([
    ["100 MB in one line", "head -c 100000000 /dev/zero | tr '\\0' x", 100_000_000],
    ["20 MB, binary", "head -c 20000000 /dev/urandom | tr '\\n' x", 20_000_000],
    ["20 MB of short lines", "yes | head -c 20000000", 20_000_000],
  ])("5: %s: memory below 100 MiB, the log below its bound", async (_, flood, bytes) => {
    using it = await Container.idle();
    it.restic("exit 0");
    it.hook("pre-backup", flood);
    it.hook("post-backup", "sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$PPID/status >/peak");
    expect((await it.exec("sh", "-c", "backup >/dev/null")).code).toBe(0);
    expect(it.record().hooks[0]).toMatchObject({ exit_code: 0, output_bytes: bytes });
    expect(Number(it.read("peak")) * 1024).toBeLessThan(100 * MIB);
    expect(statSync(`${it.root}/var/log/backup-last.log`).size).toBeLessThan(MIB + 4096);
  });
});
