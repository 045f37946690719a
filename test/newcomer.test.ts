/**
 * A worker is added by its row, its file and its test, and a scheduled one by a line in variables.ts besides. Two are
 * added here to a copy of the tree, by the README's instruction and in no other way; then all must know them that
 * know the others.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { World } from "./support/world.ts";

const root = join(import.meta.dir, "..");
const tree = mkdtempSync(join(tmpdir(), "rbh-newcomer-"));
const program = join(tree, "dist/restic-backup-helper");
afterAll(() => rmSync(tree, { recursive: true }));

/** A plain worker, and one of two words that a schedule starts. */
const NEWCOMERS = ["audit", "stock-taking"] as const;
const VARIABLE = "STOCK_TAKING_CRON";

const rowOf = (name: string) =>
  `  {\n    name: "${name}",\n    kind: "run",\n    summary: "count what ${name} counts",\n` +
  `    load: from(() => import("./${name}.ts")),\n  },\n`;

const fileOf = (name: string) => `/** ${name}: counts the paths of BACKUP_ROOT_DIR. */

import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";

const facts = {
  paths_counted: { type: "count", help: "paths that were counted" },
} as const satisfies Fields;

export default defineWorker({
  about: "Counts the paths of BACKUP_ROOT_DIR, as ${name} does.",
  flags: {
    twice: { type: "boolean", description: "count them twice" },
  },
  environment: ["BACKUP_ROOT_DIR"],
  exits: [["0", "the paths were counted"]],
  facts,
  subject: ({ paths_counted }) => \`\${paths_counted} counted\`,
  work: (run, { flags }) => work(run, flags.twice),
});

async function work(run: Run<FactsOf<typeof facts>>, twice: boolean): Promise<Outcome> {
  const paths = run.settings.lines("BACKUP_ROOT_DIR");
  run.log.info(\`Counted \${paths.length}.\`);
  run.addFacts({ paths_counted: paths.length });
  if (twice) {
    const again = run.settings.lines("BACKUP_ROOT_DIR");
    run.log.info(\`Counted \${again.length} again.\`);
  }
  return { exitCode: 0 };
}
`;

const testOf = (name: string) => `import { expect, test } from "bun:test";
import { World } from "../support/world.ts";

test("${name} counts", async () => {
  using world = new World();
  const { code, stdout } = await world.run("${name}", ["--twice"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("Counted 1 again.") });
  expect(world.record("${name}")).toMatchObject({ status: "ok", exit_code: 0 });
});
`;

function insert(file: string, before: string, text: string): void {
  const path = join(tree, file);
  const whole = readFileSync(path, "utf8");
  const at = whole.lastIndexOf(before);
  if (at < 0) throw new Error(`${file} has no place for ${text}`);
  writeFileSync(path, whole.slice(0, at) + text + whole.slice(at));
}

function call(command: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    cwd: tree,
    env: { ...process.env, RBH_TEST_BINARY: program },
  });
  return { code: exitCode, output: `${stdout}${stderr}` };
}

beforeAll(() => {
  const names = ["main.ts", "lib", "test", "package.json", "package-lock.json", "tsconfig.json"];
  for (const name of [...names, "bunfig.toml", "Makefile", "README.md"])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  insert("lib/workers/index.ts", "];", NEWCOMERS.map(rowOf).join(""));
  for (const name of NEWCOMERS) {
    writeFileSync(join(tree, `lib/workers/${name}.ts`), fileOf(name));
    writeFileSync(join(tree, `test/workers/${name}.test.ts`), testOf(name));
  }
  const line = `  ${VARIABLE}: cron("stock-taking", "when stock-taking runs; off when empty"),\n`;
  insert("lib/config/variables.ts", "  CRON_LOG_MAX_SIZE:", line);
  // -o: what lies in node_modules is old enough, whatever the copy's lock file says.
  const { code, output } = call(["make", "-s", "-o", "node_modules/.ready"]);
  if (code !== 0) throw new Error(output);
}, 60_000);

/** A world with the links of the copy's program. */
function newWorld(): World {
  const world = new World();
  const { code, output } = call([program, "--install", "-s", "--force", world.bin]);
  if (code !== 0) throw new Error(output);
  rmSync(join(world.bin, "restic-backup-helper"));
  symlinkSync(program, join(world.bin, "restic-backup-helper"));
  return world;
}

test("the types hold", () => {
  expect(call(["node_modules/.bin/tsc"])).toEqual({ code: 0, output: "" });
});

test("the README's tables know them once make format has written them", () => {
  expect(call(["node_modules/.bin/bun", "test/tools/readme.ts"])).toEqual({ code: 0, output: "" });
  const readme = readFileSync(join(tree, "README.md"), "utf8");
  for (const name of NEWCOMERS)
    expect(readme).toContain(`| \`${name}\` | run | count what ${name} counts |\n`);
  expect(readme).toContain(`| \`${VARIABLE}\` |  | when stock-taking runs; off when empty |\n`);
});

test("their own tests pass, and those that look at all commands", () => {
  const own = NEWCOMERS.map((name) => `test/workers/${name}.test.ts`);
  const general = [
    "arrows",
    "readme",
    "schedule",
    "cli/help",
    "cli/install",
    "cli/completion",
    "config/declared",
  ];
  const files = [...own, ...general.map((name) => `test/${name}.test.ts`)];
  const { code, output } = call(["node_modules/.bin/bun", "test", "--timeout", "60000", ...files]);
  const failed = output.split("\n").filter((line) => line.startsWith("(fail)"));
  expect({ code, failed, output }).toEqual({ code: 0, failed: [], output });
}, 120_000);

describe.each(NEWCOMERS)("%s", (name) => {
  test("--list, --help, its link and the completion of each shell", async () => {
    using world = newWorld();
    expect(readlinkSync(join(world.bin, name))).toBe(program);
    const ask = async (...words: string[]) => (await world.run("restic-backup-helper", words)).stdout;
    expect((await ask("--list")).split("\n")).toContain(name);
    expect(await ask("--help")).toContain(`count what ${name} counts`);
    expect(await ask(name, "--help")).toMatch(/--twice[\s\S]*BACKUP_ROOT_DIR[\s\S]*the paths were counted/);
    for (const shell of ["bash", "zsh", "fish"]) {
      const script = await ask("completion", shell);
      expect({ shell, script }).toEqual({ shell, script: expect.stringContaining(name) });
      expect({ shell, script }).toEqual({ shell, script: expect.stringContaining("twice") });
    }
  });

  test("its hooks: found by a run, tried by hook-test, shown by doctor", async () => {
    using world = newWorld();
    world.hook(`pre-${name}`, "echo it begins");
    world.hook(`post-${name}`, 'echo "it ended with $1"');
    const { code, stdout } = await world.run("locked_run", [name, name]);
    expect(code).toBe(0);
    expect(stdout).toContain(`pre-${name} | it begins\n`);
    expect(stdout).toContain(`post-${name} | it ended with 0\n`);
    expect((await world.run("hook-test", [`pre-${name}`])).stdout).toContain("it begins");
    const { stdout: report } = await world.run("doctor", ["--hooks"]);
    for (const phase of ["pre", "post"]) expect(report).toContain(`hooks/${phase}-${name}.sh: executable\n`);
    expect(report).not.toContain("WARN");
  });

  test("its record with its schema, its metrics, its mail and its place in status", async () => {
    using world = newWorld();
    world.program("sendmail", `cat >>'${world.dir}/mail'`);
    const metrics = world.folder("metrics");
    const env = { METRICS_DIR: metrics, MAILX_RCPT: "ops@example.org" };
    expect((await world.run(name, [], { env })).code).toBe(0);
    expect(world.history()).toMatchObject([{ job: name, status: "ok", exit_code: 0, paths_counted: 1 }]);
    const schema = await world.run("restic-backup-helper", ["schema", "run"]);
    expect(JSON.parse(schema.stdout).properties.paths_counted).toEqual({
      $ref: "#/$defs/count",
      description: "audit, stock-taking: paths that were counted.",
    });
    const words = world.read("mail").matchAll(/^(?:Subject:)? =\?UTF-8\?B\?(.*)\?=$/gm);
    const subject = [...words].map(([, word = ""]) => Buffer.from(word, "base64").toString()).join("");
    const title = { audit: "Audit", "stock-taking": "Stock taking" }[name];
    expect(subject).toMatch(new RegExp(`^\\[OK\\] ${title} testhost · \\d+s · 1 counted$`));
    const prefix = `restic_${name.replace("-", "_")}`;
    const metricsText = world.read(`metrics/${prefix}.testhost.prom`);
    expect(metricsText).toContain(`${prefix}_last_success_timestamp_seconds{`);
    expect(metricsText).toContain(
      `# HELP ${prefix}_last_paths_counted In the last run: paths that were counted.\n`,
    );
    expect(metricsText).toMatch(new RegExp(`^${prefix}_last_paths_counted\\{.*\\} 1$`, "m"));
    expect((await world.run("status")).stdout).toMatch(new RegExp(`^${name} .* ok `, "m"));
  });
});

test("the schedule: cron-list, config-check, env, and status before the first run", async () => {
  using world = newWorld();
  const env = { CRONTAB_DIR: world.folder("crontabs"), [VARIABLE]: "5 4 * * *" };
  expect((await world.run("cron-list", [], { env })).stdout).toContain("stock-taking");
  expect((await world.run("status", [], { env })).stdout).toMatch(/^stock-taking /m);
  expect((await world.run("restic-backup-helper", ["env"], { env })).stdout).toMatch(
    /^STOCK_TAKING_CRON .*5 4/m,
  );
  expect((await world.run("config-check", [], { env })).stdout).toMatch(new RegExp(`OK.*${VARIABLE}`));
  const wrong = await world.run("config-check", [], { env: { ...env, [VARIABLE]: "every day" } });
  expect(wrong).toMatchObject({ code: 1, stdout: expect.stringMatching(new RegExp(`FAIL.*${VARIABLE}`)) });
  const entry = await world.run("restic-backup-helper", ["entry", "--help"]);
  expect(entry.stdout).toContain(VARIABLE);
});
