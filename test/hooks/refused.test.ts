/** Hooks that cannot run: the run says why, and goes on. */

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { isAbsolute } from "node:path";
import { hookIn, isRoot, world } from "../support/hooked.ts";
import { modest } from "../support/modest.ts";
import { needing } from "../support/needing.ts";
import type { World } from "../support/world.ts";

describe("a hook that cannot run is an error that says why, and the backup runs", () => {
  test.each<[string, (it: World) => unknown, string]>([
    ["not executable", (it) => it.hook("pre-backup", "echo x", 0o644), "not executable (mode 0644)"],
    ["a ConfigMap's mode", (it) => it.hook("pre-backup", "echo x", 0o440), "not executable (mode 0440)"],
    ["a directory", (it) => mkdirSync(hookIn(it)), "a directory"],
    ["a dangling link", (it) => symlinkSync("/nowhere", hookIn(it)), "a dangling link"],
    [
      "a link to itself",
      (it) => symlinkSync("pre-backup.sh", hookIn(it)),
      "a link that leads back to itself",
    ],
    ["a named pipe", (it) => it.exec(["mkfifo", hookIn(it)]), "a named pipe"],
    ["a socket", (it) => Bun.listen({ unix: hookIn(it), socket: { data() {} } }), "a socket"],
    ["a device", (it) => symlinkSync("/dev/null", hookIn(it)), "a device"],
    ["CRLF", (it) => it.file("hooks/pre-backup.sh", "#!/bin/sh\r\necho x\r\n", 0o755), "CRLF line endings"],
    [
      "no interpreter",
      (it) => it.file("hooks/pre-backup.sh", "#!/opt/bash -eu\n", 0o755),
      "/opt/bash: not in this image",
    ],
    [
      "env finds none",
      (it) => it.file("hooks/pre-backup.sh", "#!/usr/bin/env perl7 -w\n", 0o755),
      "/usr/bin/env perl7 -w: not in this image",
    ],
    [
      "env -S finds none",
      (it) => it.file("hooks/pre-backup.sh", "#!/usr/bin/env -S perl7 -w\n", 0o755),
      "/usr/bin/env perl7: not in this image",
    ],
    [
      "an empty #! line",
      (it) => it.file("hooks/pre-backup.sh", "#!\n", 0o755),
      "an empty #! line: not in this image",
    ],
    [
      "a byte order mark",
      (it) => it.file("hooks/pre-backup.sh", "\ufeff#!/bin/sh\n", 0o755),
      "begins with a byte order mark",
    ],
    [
      "a folder that is a file",
      (it) => it.file("hooks/pre-backup.d", ""),
      "cannot be read (a part of the path is not a directory)",
    ],
  ])("%s", async (_, make, state) => {
    using it = world();
    await make(it);
    const { code, stdout, stderr } = await it.run("backup");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/ ERROR backup {2}hooks\/pre-backup\.(sh|d): /);
    expect(stdout).toContain(`: ${state}. It does not run. `);
    expect(stdout).not.toContain("hook pre-backup started");
    const [result] = it.record().hooks;
    expect(result).toEqual({
      phase: "pre-backup",
      path: expect.stringContaining("pre-backup"),
      error: state,
    });
    expect(isAbsolute(result.path)).toBe(true);
  });

  test("chmod is named, with the hook's own path", async () => {
    using it = world();
    it.hook("pre-backup", "echo x", 0o644);
    expect((await it.run("backup")).stdout).toContain(
      `Run: chmod 0755 ${hookIn(it)} (for a ConfigMap: defaultMode 0755).`,
    );
  });

  test.skipIf(!isRoot)(
    "unreadable, for whoever is not root (needs root, to become another user)",
    async () => {
      using it = world();
      it.hook("pre-backup", "echo x", 0o711);
      await it.exec(["chmod", "-R", "a+rwX", it.dir, it.log, it.lock]);
      chmodSync(hookIn(it), 0o711);
      const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", it.link("backup")];
      const { code, stdout } = await it.exec(asNobody);
      expect(code).toBe(0);
      expect(stdout).toContain("hooks/pre-backup.sh: unreadable (mode 0711). It does not run.");
    },
  );
});

needing("python3").test("a name that is not UTF-8 is an error, not a hook that is passed over", async () => {
  using it = world();
  it.hook("pre-backup.d/x", "echo ran");
  const rename =
    "import os, sys; os.rename(sys.argv[1], os.fsencode(os.path.dirname(sys.argv[1])) + b'/\\xff.sh')";
  expect((await it.exec(["python3", "-c", rename, `${it.hooks}/pre-backup.d/x.sh`])).code).toBe(0);
  const { code, stdout } = await it.run("backup");
  expect(code).toBe(0);
  expect(stdout).toContain("ERROR backup  hooks/pre-backup.d/\ufffd.sh: a name that is not UTF-8.");
});

test("a hook for another machine is an error, and the backup runs", async () => {
  using it = world();
  it.file("hooks/pre-backup.sh", "\x7fELF but not really", 0o755);
  const { code, stdout } = await it.run("backup");
  expect(code).toBe(0);
  expect(stdout).toContain("ERROR backup  hook pre-backup could not be started: ");
  expect(it.record().hooks[0].error).toContain("is not a program for this machine");
});

describe("HOOKS_DIR that cannot be examined: prepared words, no bug, and the backup runs", () => {
  const ways: Record<string, { make: (it: World) => string; says: string }> = {
    "below a folder that may not be searched": {
      make: (it) => {
        const dir = it.folder("closed/hooks");
        it.file("closed/hooks/pre-backup.sh", "#!/bin/sh\n", 0o755);
        chmodSync(`${it.dir}/closed`, 0o600);
        return dir;
      },
      says: "cannot be examined (permission denied). It does not run. Make its folder, and the folders above it, searchable",
    },
    "a loop of links": {
      make: (it) => {
        symlinkSync("loop", `${it.dir}/loop`);
        return `${it.dir}/loop`;
      },
      says: "there is a loop of them). It does not run. A link on the way to it leads back to itself: remove that link.",
    },
    "below a file": {
      make: (it) => `${it.file("plain", "")}/hooks`,
      says: "a part of the path is not a directory",
    },
    "with a name that is too long": {
      make: (it) => `${it.dir}/${"x".repeat(300)}`,
      says: "Set HOOKS_DIR to a folder.",
    },
  };
  test.each(Object.keys(ways))("%s", async (way) => {
    using it = world();
    const { make, says } = ways[way]!;
    const { code, stdout, stderr } = await it.exec(modest([it.link("backup")]), {
      env: { HOOKS_DIR: make(it) },
    });
    chmodSync(it.dir, 0o700);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(says);
    expect(stdout).not.toContain("This is a bug");
    expect(it.record().hooks.filter((hook: { phase: string }) => hook.phase === "pre-backup")).not.toEqual(
      [],
    );
    if (existsSync(`${it.dir}/closed`)) chmodSync(`${it.dir}/closed`, 0o700);
  });

  test("a main script in a loop of links keeps none of the others from running", async () => {
    using it = world();
    symlinkSync("pre-backup.sh", hookIn(it));
    it.hook("pre-backup.d/good", "echo good ran");
    const { code, stdout } = await it.run("backup");
    expect(code).toBe(0);
    expect(stdout).toContain("pre-backup | good ran\n");
  });
});

// strace(1) makes the first look at the hook's pipe fail.
test.skipIf(Bun.which("strace") === null)(
  "a hook whose pipe cannot be read is supervised all the same",
  async () => {
    using it = world();
    it.hook("pre-backup", `echo words; sleep 1; echo over >'${it.dir}/over'; exit 3`);
    const fault = [
      "strace",
      "-f",
      "-qq",
      "-o",
      "strace.out",
      "-e",
      "trace=fstat",
      "-e",
      "inject=fstat:error=EIO:when=1",
    ];
    const { code, stdout, stderr } = await it.exec([...fault, "backup"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(it.read("strace.out")).toContain("INJECTED");
    expect(it.read("over")).toBe("over\n");
    expect(stdout).not.toContain("This is a bug");
    expect(it.record().hooks).toMatchObject([{ phase: "pre-backup", exit_code: 3, timed_out: false }]);
  },
);
