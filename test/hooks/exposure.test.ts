/** Who else could put code of theirs in the place of a hook, or of replicate's job file: the run says it once, doctor all. */

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, lchownSync, renameSync, symlinkSync } from "node:fs";
import { isRoot, world } from "../support/hooked.ts";
import type { World } from "../support/world.ts";

const STRANGER = 4711;
const OPEN = "everybody can write it (mode 0777)";

type Case = readonly [what: string, spoil: (it: World) => void, said: (it: World) => string];

/** Moves the hooks to `path` below the world. */
function moveHooks(it: World, path: string): void {
  it.folder(path.slice(0, path.lastIndexOf("/")));
  renameSync(it.hooks, `${it.dir}/${path}`);
  it.env.HOOKS_DIR = `${it.dir}/${path}`;
}

const CASES: readonly Case[] = [
  [
    "a folder above HOOKS_DIR",
    (it) => {
      moveHooks(it, "open/deep/hooks");
      chmodSync(`${it.dir}/open`, 0o777);
    },
    (it) => `HOOKS_DIR=${it.env.HOOKS_DIR}: ${it.dir}/open, on the way to it, is not safe: ${OPEN}`,
  ],
  [
    "a folder above the target of a link",
    (it) => {
      const at = `${it.folder("open")}/hooks`;
      renameSync(it.hooks, at);
      symlinkSync("open/hooks", it.hooks);
      chmodSync(`${it.dir}/open`, 0o777);
    },
    (it) => `HOOKS_DIR=${it.hooks}: ${it.dir}/open, on the way to it, is not safe: ${OPEN}`,
  ],
  [
    "an interpreter",
    (it) => {
      const shell = `${it.folder("shells")}/mysh`;
      copyFileSync("/bin/sh", shell);
      chmodSync(shell, 0o777);
      it.file("hooks/pre-backup.sh", `#!${shell}\necho ran\n`, 0o755);
    },
    (it) => `hooks/pre-backup.sh is run by ${it.dir}/shells/mysh: it is not safe: ${OPEN}`,
  ],
  [
    "the folder of an interpreter that env finds",
    (it) => {
      const folder = it.folder("shells");
      symlinkSync("/bin/sh", `${folder}/mysh`);
      chmodSync(folder, 0o777);
      it.env.PATH = `${folder}:${it.env.PATH}`;
      it.file("hooks/pre-backup.sh", "#!/usr/bin/env mysh\necho ran\n", 0o755);
    },
    (it) =>
      `hooks/pre-backup.sh is run by ${it.dir}/shells/mysh: ${it.dir}/shells, on the way to it, is not safe: ${OPEN}`,
  ],
  [
    "HOOKS_DIR in the source",
    (it) => moveHooks(it, "source/app/hooks"),
    (it) =>
      `HOOKS_DIR=${it.source}/app/hooks lies in the source ${it.source}, where who writes data, or restores it, changes what is run`,
  ],
  [
    "HOOKS_DIR in the source by a link",
    (it) => {
      renameSync(it.hooks, `${it.source}/hooks`);
      symlinkSync("source/hooks", it.hooks);
    },
    (it) =>
      `HOOKS_DIR=${it.hooks} lies in the source ${it.source}, where who writes data, or restores it, changes what is run`,
  ],
];

const ROOT_CASES: readonly Case[] = [
  [
    "a stranger's folder above HOOKS_DIR",
    (it) => {
      moveHooks(it, "home/hooks");
      chownSync(`${it.dir}/home`, STRANGER, 0);
    },
    (it) =>
      `HOOKS_DIR=${it.env.HOOKS_DIR}: ${it.dir}/home, on the way to it, is not safe: it belongs to user ${STRANGER}`,
  ],
  [
    "a link into a stranger's folder",
    (it) => {
      renameSync(`${it.hooks}/pre-backup.sh`, `${it.folder("home/joe")}/backup.sh`);
      symlinkSync("../home/joe/backup.sh", `${it.hooks}/pre-backup.sh`);
      chownSync(`${it.dir}/home/joe`, STRANGER, 0);
    },
    (it) =>
      `hooks/pre-backup.sh: ${it.dir}/home/joe, on the way to it, is not safe: it belongs to user ${STRANGER}`,
  ],
  [
    "a stranger's link in a sticky folder",
    (it) => {
      const folder = it.folder("tmp");
      chmodSync(folder, 0o1777);
      renameSync(it.hooks, `${it.dir}/real`);
      symlinkSync("../real", `${folder}/link`);
      lchownSync(`${folder}/link`, STRANGER, STRANGER);
      it.env.HOOKS_DIR = `${folder}/link`;
    },
    (it) =>
      `HOOKS_DIR=${it.dir}/tmp/link: ${it.dir}/tmp/link, on the way to it, is not safe: it is a link of user ${STRANGER}`,
  ],
];

const warnings = (text: string) => text.split("\n").filter((line) => line.includes("WARN"));

describe.each<Case>([...CASES, ...(isRoot ? ROOT_CASES : [])])("%s", (_, spoil, said) => {
  test("the run says it in one line, and runs them; doctor fails no check, and warns", async () => {
    using it = world();
    it.hook("pre-backup", "echo ran");
    it.hook("post-backup", "echo ran");
    spoil(it);
    const { code, stdout } = await it.run("backup");
    expect(code).toBe(0);
    expect(warnings(stdout)).toEqual([expect.stringContaining(` WARN  backup  ${said(it)}. I`)]);
    expect(stdout).toMatch(/ runs? all the same\./);
    expect(stdout).toContain("pre-backup | ran\n");
    const doctor = await it.run("doctor", ["--hooks"]);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toContain(`[WARN] ${said(it)}. `);
    expect(doctor.stdout).not.toContain("FAIL");
  });
});

test("a part's folder that others can write; of several the run names one and counts the others", async () => {
  using it = world();
  it.hook("pre-backup.d/10-first", "echo ran");
  chmodSync(`${it.hooks}/pre-backup.d`, 0o777);
  moveHooks(it, "open/hooks");
  chmodSync(`${it.dir}/open`, 0o777);
  const { stdout } = await it.run("backup");
  const hooks = it.env.HOOKS_DIR;
  expect(warnings(stdout)).toEqual([
    expect.stringContaining(
      `HOOKS_DIR=${hooks}: ${it.dir}/open, on the way to it, is not safe: ${OPEN}. Its hooks run all the same. ` +
        "doctor --hooks names 1 more.",
    ),
  ]);
  const doctor = await it.run("doctor", ["--hooks"]);
  expect(warnings(doctor.stdout).filter((line) => line.includes("pre-backup.d"))).toEqual([
    expect.stringContaining("hooks/pre-backup.d: others than its owner can write it (mode 0777). "),
  ]);
});

test("a sticky folder, one of the running group, and a source that is all of it, are nothing to say", async () => {
  using it = world();
  it.hook("pre-backup", "echo ran");
  moveHooks(it, "sticky/ours/hooks");
  chmodSync(`${it.dir}/sticky`, 0o1777);
  chmodSync(`${it.dir}/sticky/ours`, 0o775);
  for (const BACKUP_ROOT_DIR of [it.source, "/", `${it.dir}/sticky/ours/hook`]) {
    const { stdout } = await it.run("backup", [], { env: { BACKUP_ROOT_DIR } });
    expect(stdout).toContain("pre-backup | ran\n");
    expect(stdout).not.toContain("not safe");
    expect(stdout).not.toContain("lies in the source");
  }
  const doctor = await it.run("doctor", ["--hooks"]);
  expect({ code: doctor.code, warnings: warnings(doctor.stdout) }).toEqual({ code: 0, warnings: [] });
});

test.each<Case>([
  [
    "itself",
    (it) => chmodSync(`${it.dir}/config/jobs.txt`, 0o666),
    () => "it is not safe: everybody can write it (mode 0666)",
  ],
  [
    "its folder",
    (it) => chmodSync(`${it.dir}/config`, 0o777),
    (it) => `${it.dir}/config, on the way to it, is not safe: ${OPEN}`,
  ],
  [
    "in the source",
    (it) => {
      it.env.BACKUP_ROOT_DIR = `${it.dir}/config`;
    },
    (it) => `lies in the source ${it.dir}/config,`,
  ],
])("the job file of replicate is code: %s", async (_, spoil, said) => {
  using it = world();
  it.program("rclone", "exit 0");
  const file = it.file("config/jobs.txt", `${it.source};${it.dir}/copy;copy\n`);
  it.env.REPLICATE_JOB_FILE = file;
  const clean = await it.run("replicate");
  expect(warnings(clean.stdout)).toEqual([]);
  spoil(it);
  const { code, stdout } = await it.run("replicate");
  expect(code).toBe(clean.code);
  expect(warnings(stdout)).toHaveLength(1);
  expect(stdout).toContain(` WARN  replicate  REPLICATE_JOB_FILE=${file}`);
  expect(stdout).toContain(said(it));
  expect(stdout).toContain(
    "A row can have rclone run any program (--metadata-mapper). It is used all the same.",
  );
  for (const name of ["config-check", "doctor"]) {
    const warned = warnings((await it.run(name)).stdout).filter((line) => line.includes("--metadata-mapper"));
    expect(warned[0]).toContain(said(it));
  }
});
