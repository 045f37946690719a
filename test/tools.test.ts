// What must hold of the project as a whole: its dependencies, its files, its scripts.
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import project from "../package.json";
import { needing } from "./support/needing.ts";

const root = join(import.meta.dir, "..");
const scratch = mkdtempSync(join(tmpdir(), "rbh-tools-"));
afterAll(() => rmSync(scratch, { recursive: true }));
$.cwd(root).nothrow();

/** The project's files, committed or not yet; what .gitignore names lies beside the project. */
const listed = (await $`git ls-files -z --cached --others --exclude-standard`.text()).split("\0");
const files = listed.filter((file) => existsSync(join(root, file)) && file !== "");
const read = (file: string) => readFileSync(join(root, file), "latin1");
const naming = (text: string) => files.filter((file) => read(file).includes(text));
const hostOf = (url: string) => new URL(url.trim()).hostname;

test("two dependencies, and every version pinned", () => {
  expect(Object.keys(project.dependencies)).toEqual(["citty", "consola"]);
  for (const version of Object.values({ ...project.dependencies, ...project.devDependencies }))
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});

needing("git").test("the top level is the card's, a lock file and dotfiles", () => {
  const card = "Makefile README.md bunfig.toml lib main.ts package.json test tsconfig.json".split(" ");
  const visible = files.map((file) => file.split("/")[0]!).filter((name) => !name.startsWith("."));
  expect([...new Set(visible)].filter((name) => !card.includes(name))).toEqual(["package-lock.json"]);
});

needing("git").test(
  "no file names the place where this machine gets its packages, or keeps this project",
  async () => {
    const registry = hostOf(await $`npm config get registry`.text());
    const sites = (await $`apt-get indextargets --format ${"$(SITE)"}`.quiet().text()).trim().split("\n");
    for (const host of new Set([registry, ...sites.filter((site) => site !== "").map(hostOf)]))
      expect(naming(host)).toEqual([]);
    expect(naming(root)).toEqual([]);
  },
);

test.skipIf(!Bun.which("shellcheck"))("shellcheck finds nothing in the shell scripts", async () => {
  const scripts = files.filter((file) => /^#!.*\b(ba)?sh\b/.test(read(file)));
  expect(scripts).toContain("test/tools/setup");
  expect(await $`shellcheck ${scripts}`.text()).toBe("");
});

test("setup, where it cannot install, names what is missing and goes on", async () => {
  for (const tool of ["cat", "id", "sort", "tr"]) symlinkSync(Bun.which(tool)!, join(scratch, tool));
  const { stderr, exitCode } = await $`PATH=${scratch} /bin/sh test/tools/setup restic flock`.quiet();
  expect(stderr.toString()).toBe(
    "setup: not installed: restic util-linux (as root on Debian: apt-get install restic util-linux)\n",
  );
  expect(exitCode).toBe(0);
});

test("run-tests fails when no test ran", async () => {
  const { stdout, exitCode } = await $`test/tools/run-tests test/no-such-folder`.quiet();
  expect(stdout.toString()).toEndWith("\n0 passed, 0 failed, 0 skipped\n");
  expect(exitCode).toBe(1);
});

test("make uninstall removes the binary and its links, and nothing else", async () => {
  const bin = join(scratch, "installed/bin");
  const target = "restic-backup-helper";
  await $`mkdir -p ${bin} && touch ${join(bin, target)} ${join(bin, "other")}`;
  symlinkSync(target, join(bin, "backup"));
  symlinkSync("/bin/sh", join(bin, "strange"));
  const { exitCode, stdout } = await $`make -s uninstall DESTDIR=${join(scratch, "installed")}`.quiet();
  expect(stdout.toString()).toBe(`Removed ${target} and 1 of its links from ${bin}.\n`);
  expect(exitCode).toBe(0);
  expect((await $`ls ${bin}`.text()).trim().split("\n").sort()).toEqual(["other", "strange"]);
});

test("without npm, make says what to install", async () => {
  const away = join(scratch, "without-npm");
  await $`mkdir -p ${away}/bin && cp Makefile package.json package-lock.json ${away}`.quiet();
  for (const name of ["sh", "find", "sed", "mkdir", "make"])
    symlinkSync(Bun.which(name) as string, join(away, "bin", name));
  const { exitCode, stderr } = await $`make -C ${away} node_modules/.ready`
    .env({ PATH: join(away, "bin") })
    .quiet();
  expect(stderr.toString()).toContain("npm is not installed. Install Node.js with npm");
  expect(exitCode).toBe(2);
});

test("make rootfs says to a user why it needs root", async () => {
  const asUser = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];
  const script = join(scratch, "rootfs");
  await $`chmod 755 ${scratch} && cp test/tools/rootfs ${script} && chmod 755 ${script}`;
  const { exitCode, stderr } = await $`${asUser} ${script} /bin/true ${join(scratch, "tree")}`.quiet();
  expect(stderr.toString()).toContain("only root can make the devices of the tree (mknod)");
  expect(exitCode).toBe(1);
});
