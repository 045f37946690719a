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
