/** The manual: its pages are printed and searched, what they show is run, and what they name exists. */

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { variables } from "../lib/config/variables.ts";
import { searchPage, TOPICS } from "../lib/manual/index.ts";
import { table } from "../lib/workers/index.ts";
import { equip } from "./support/ready-repository.ts";
import { restic } from "./support/restics.ts";
import { binary, World } from "./support/world.ts";

const ROOT = join(import.meta.dir, "..");
const pathOf = (topic: string) => join(ROOT, "lib/manual", `${topic}.md`);
const pages = TOPICS.map((topic) => ({ topic, text: readFileSync(pathOf(topic), "utf8") }));
const pageOf = (topic: string) => pages.find((page) => page.topic === topic)?.text ?? "";

/** Code blocks of one language, without the indentation of the list that they stand in. */
function blocks(topic: string, language: string): string[] {
  const found = pageOf(topic).matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^\\1\`\`\`$`, "gm"));
  return [...found].map(([, indent = "", text = ""]) => text.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

const manual = (it: World, ...args: string[]) => it.exec([binary, "manual", ...args]);

describe("restic-backup-helper manual", () => {
  test("lists the pages, and prints one as it is", async () => {
    using it = new World();
    const { stdout, code } = await manual(it);
    expect(code).toBe(0);
    for (const { topic, text } of pages)
      expect(stdout).toMatch(new RegExp(`^${topic} +${/^# (.*)/.exec(text)?.[1]}$`, "m"));
    for (const { topic, text } of pages) expect((await manual(it, topic)).stdout).toBe(text);
  });

  test("guesses what was meant by a topic that there is not", async () => {
    using it = new World();
    const { stderr, code } = await manual(it, "databasse");
    expect(code).toBe(2);
    expect(stderr).toContain("no page databasse; did you mean databases?");
  });

  test("--search shows page, heading and line, and exits with 1 where there is none", async () => {
    using it = new World();
    const { stdout, code } = await manual(it, "--search", "PG_DUMP");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^databases, PostgreSQL, line \d+: .*pg_dump/m);
    expect((await manual(it, "--search", "xyzzy")).code).toBe(1);
    expect((await manual(it, "--search", "restic", "databases")).code).toBe(2);
  });

  test("on a terminal the page goes through $PAGER", async () => {
    using it = new World();
    it.env.PAGER = "tr a-z A-Z";
    const { stdout } = await it.exec(["script", "-qec", `${binary} manual databases`, "/dev/null"]);
    expect(stdout).toContain("# DATABASES");
  });

  test("a comment in a code block is no heading", () => {
    expect(searchPage("# A\n```sh\n# b\nword\n```\n", "word")).toEqual([
      { heading: "A", number: 4, line: "word" },
    ]);
  });
});

describe("every page", () => {
  test("is listed, and every listed one is there", () => {
    const there = [...new Bun.Glob("*.md").scanSync({ cwd: join(ROOT, "lib/manual") })];
    expect(there.sort()).toEqual(TOPICS.map((topic) => `${topic}.md`).sort());
  });

  test.each(pages)("$topic has 60 to 200 lines, and the README links to it", ({ topic, text }) => {
    expect(text.split("\n").length).toBeWithin(60, 201);
    expect(readFileSync(join(ROOT, "README.md"), "utf8")).toContain(`](lib/manual/${topic}.md)`);
  });

  test.each(pages)("$topic links to files and headings that are there", ({ topic, text }) => {
    const targets = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
    const broken = targets.filter((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? pathOf(topic) : resolve(dirname(pathOf(topic)), path);
      return (
        !existsSync(file) || (anchor !== undefined && !anchors(readFileSync(file, "utf8")).includes(anchor))
      );
    });
    expect(broken).toEqual([]);
  });

  test.each(pages)("$topic names variables that there are", ({ text }) => {
    const workers = table
      .filter(({ kind }) => kind === "run")
      .map(({ name }) => name.toUpperCase().replaceAll("-", "_"));
    const known = new Set([...Object.keys(variables), ...workers.map((worker) => `${worker}_TIMEOUT`)]);
    // Of restic, its backends, the runtime and the kernel, and what a page's own blocks set.
    const others =
      /^(AWS_\w+|B2_\w+|OS_\w+|NODE_\w+|BUN_\w+|LD_PRELOAD|RESTIC_REST_(USERNAME|PASSWORD)|SYS_ADMIN|DAC_\w+|DUMP_DIR|SQLITE_FILE|SECOND_PASSWORD_FILE)$/;
    const named = [...text.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)].map(([name]) => name);
    expect(named).not.toBeEmpty();
    expect(named.filter((name) => !known.has(name) && !others.test(name))).toEqual([]);
  });

  test.each(pages)("$topic names commands with flags that they have", async ({ text }) => {
    for (const [, words = ""] of text.matchAll(/`([^`\n]+)`/g)) {
      const [name, ...rest] = words.replace(/^restic-backup-helper /, "").split(" ");
      const row = table.find((each) => each.name === name);
      if (row === undefined) continue;
      const { flags } = await row.load();
      const given = rest.filter((word) => word.startsWith("--")).map((word) => word.replace(/^--|=.*/g, ""));
      expect(given.filter((flag) => !(flag in flags))).toEqual([]);
    }
  });
});

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** A machine with real restic, a repository with one snapshot, and what the pages' commands name. */
async function withSnapshot(): Promise<World> {
  const it = new World();
  equip(it, restic);
  for (const { name, link } of table) if (link !== false) it.link(name);
  it.link("restic-backup-helper");
  it.file("source/letter.txt", "Dear reader\n");
  it.env.SOURCE = it.source;
  it.env.TARGET = join(it.dir, "target");
  mkdirSync(it.env.TARGET);
  it.env.SECOND_PASSWORD_FILE = it.file("second", "another password of many words\n");
  expect((await it.run("backup")).code).toBe(0);
  return it;
}

for (const topic of ["disaster-recovery", "troubleshooting"]) {
  test.skipIf(restic.version === "missing")(`the commands of ${topic}, one after the other`, async () => {
    using it = await withSnapshot();
    const commands = blocks(topic, "sh");
    expect(commands).not.toBeEmpty();
    for (const block of commands) {
      const { code, stderr } = await it.exec(["sh", "-ec", block]);
      expect({ block, code, stderr: code === 0 ? "" : stderr }).toEqual({ block, code: 0, stderr: "" });
    }
    if (topic === "disaster-recovery")
      for (const folder of ["", join("restored", it.source), it.source])
        expect(readFileSync(join(it.env.TARGET ?? "", folder, "letter.txt"), "utf8")).toBe("Dear reader\n");
  });
}

describe("the hooks of databases", () => {
  // Clients without a server: each writes a dump where it is told to.
  const clients = {
    mysqldump: "echo dump",
    mongodump: 'echo dump >"$(echo "$*" | sed \'s/.*--archive=//\')"',
    sqlite3: 'eval "set -- $2"; echo dump >"$2"',
  };
  const hooks = blocks("databases", "sh");

  test.each(hooks)("%s", async (hook) => {
    using it = new World();
    it.link("hook-test");
    for (const [name, body] of Object.entries(clients)) it.program(name, body);
    it.env.DUMP_DIR = it.folder("dumps");
    it.hook("pre-backup", hook.replace(/^#!.*\n/, ""));
    const { code, stdout } = await it.run("hook-test", ["pre-backup"]);
    expect({ code, stdout: code === 0 ? "" : stdout }).toEqual({ code: 0, stdout: "" });
    const [made, ...more] = [...new Bun.Glob("*").scanSync({ cwd: it.env.DUMP_DIR, dot: true })];
    expect(more).toEqual([]);
    expect(readFileSync(join(it.env.DUMP_DIR, made ?? ""), "utf8")).toBe("dump\n");
  });

  test("there is one for each database without a hook in lib/image, and the YAML has a source for the dumps", () => {
    expect(hooks).toHaveLength(3);
    const [yaml = ""] = blocks("databases", "yaml");
    const { services } = Bun.YAML.parse(yaml) as {
      services: { backup: { environment: Record<string, string> } };
    };
    expect(services.backup.environment.BACKUP_ROOT_DIR?.trim().split("\n")).toEqual(["/data", "/dumps"]);
  });
});

describe("the variables of backends", () => {
  test.each(blocks("backends", "env"))("%s", async (block) => {
    using it = new World();
    it.link("config-check");
    for (const line of block.trim().split("\n")) {
      const at = line.indexOf("=");
      it.env[line.slice(0, at)] = line.slice(at + 1);
    }
    const { stdout } = await it.run("config-check");
    const named = /\[FAIL\] (RESTIC_REPOSITORY|RESTIC_OPTIONS|NFS_TARGET)\b/;
    expect(stdout).toContain("RESTIC_REPOSITORY");
    expect(stdout).not.toMatch(named);
  });
});
