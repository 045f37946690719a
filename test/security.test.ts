/** The manual's page about security: its commands are run, and what it names is there. */

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { variables } from "../lib/config/variables.ts";
import { binary, World } from "./support/world.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = "lib/manual/security.md";
const page = readFileSync(join(ROOT, PAGE), "utf8");

/** Of sh, with the indentation of the list that they stand in taken off. */
const blocks = [...page.matchAll(/^( *)```sh\n([\s\S]*?)^\1```$/gm)].map(([, indent = "", text = ""]) =>
  text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
);

/** A world as the page's reader has it: a hook that others can write, a password in a file, checksums of a build. */
async function readersWorld(): Promise<World> {
  const it = new World();
  it.restic();
  it.hook("pre-backup", "exit 0", 0o777);
  it.env.RESTIC_PASSWORD = undefined;
  it.env.RESTIC_PASSWORD_FILE = it.file("password", "a password of many words\n");
  for (const name of ["doctor", "config-check"]) it.link(name);
  const sums = await it.exec(["sh", "-c", `cd "$(dirname '${binary}')" && sha256sum '${binary}'`]);
  it.file("SHA256SUMS", `${sums.stdout}${"0".repeat(64)}  restic-backup-helper-of-another-platform\n`);
  return it;
}

describe("every command of the page", () => {
  const outputs = new Map<string, string>();

  test.each(blocks)("%s", async (block) => {
    using it = await readersWorld();
    const { code, stdout, stderr } = await it.exec(["sh", "-ec", block]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    outputs.set(block, stdout);
  });

  test("they show what the page says that they do", () => {
    const outputOf = (word: string) => outputs.get(blocks.find((block) => block.includes(word)) ?? "");
    expect(blocks).toHaveLength(6);
    expect(outputOf("BUN_OPTIONS")).toMatch(
      /^restic-backup-helper \d[\s\S]*\[WARN\] BUN_BE_BUN: .* no effect here/,
    );
    expect(outputOf("doctor --hooks")).toContain("Every hook that is there can run (1).");
    expect(outputOf("chmod 0600")).toMatch(/^\[OK\] +RESTIC_PASSWORD_FILE: \S+\n$/);
    expect(outputOf("find ")).toBe("");
    expect(outputOf("sha256sum")).toBe(`${binary}: OK\n`);
    expect(outputOf("doctor || true")).not.toContain("a password of many words");
  });
});

test("without the page's remedies doctor and config-check warn", async () => {
  using it = await readersWorld();
  expect((await it.run("doctor", ["--hooks"])).stdout).toContain(
    "[WARN] hooks/pre-backup.sh: others than its",
  );
  expect((await it.run("config-check")).stdout).toMatch(/\[WARN\] RESTIC_PASSWORD_FILE: .* can read/);
  chmodSync(it.log, 0o777);
  const found = await it.exec(["sh", "-ec", blocks.find((block) => block.includes("find ")) ?? ""]);
  expect(found.stdout).toBe(`${it.log}\n`);
});

describe("what the page names is there", () => {
  test("tests, files, links, and the README's link to it", () => {
    const named = [...page.matchAll(/`((?:lib|test)\/[\w./-]+)`/g)].map(([, path = ""]) => path);
    const linked = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, path = ""]) =>
      resolve(dirname(join(ROOT, PAGE)), path),
    );
    expect(named.length).toBeGreaterThan(10);
    expect([...named.map((path) => join(ROOT, path)), ...linked].filter((path) => !existsSync(path))).toEqual(
      [],
    );
    expect(readFileSync(join(ROOT, "README.md"), "utf8")).toContain(`](${PAGE})`);
  });

  test("variables", () => {
    const others = /^(PATH|LD_PRELOAD|SHA256SUMS|NODE_\w+|BUN_\w+)$/;
    const named = [...page.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !(name in variables) && !others.test(name))).toEqual([]);
  });
});
