// The ENVIRONMENT of a command's help is what its code reads: no variable more, none less.
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type VariableName, variables } from "../../lib/config/variables.ts";
import { table } from "../../lib/workers/index.ts";
import { variablesRead } from "../support/reads.ts";
import { World } from "../support/world.ts";

const lib = join(import.meta.dir, "../../lib");

/** Built into the image, and shown by every command that shows a release. */
const BUILT_IN = ["RESTIC_BACKUP_HELPER_RELEASE"];
/**
 * What every Context can be asked for: folders, names, the log, the repository whose password is to be hidden. A run
 * declares them all; of a tool that has a Context it is not seen here which of them it asks for.
 */
const ofContext = await variablesRead(join(lib, "context.ts"));

async function compare(path: string, declared: readonly VariableName[], except: Iterable<string>) {
  const [read, excepted] = [await variablesRead(path), new Set([...BUILT_IN, ...except])];
  return {
    notDeclared: [...read].filter((name) => !declared.includes(name) && !excepted.has(name)),
    // restic reads its own variables by itself.
    notRead: declared.filter((name) => !read.has(name) && !("passed" in variables[name])),
  };
}

describe.each(table.map((row) => [row.name, row] as const))("%s", (name, row) => {
  test("declares the variables that it reads, each once", async () => {
    const { environment } = await row.load();
    expect(environment).toEqual([...new Set(environment)]);
    // Some tools show all variables there are, by going through their declarations.
    if (environment.length === Object.keys(variables).length) return;
    const except = row.kind === "run" ? [] : ofContext;
    expect(await compare(join(lib, `workers/${name}.ts`), environment, except)).toEqual({
      notDeclared: [],
      notRead: [],
    });
  });
});

test("what is read but not declared, and declared but not read, is found", async () => {
  using world = new World();
  const path = join(world.dir, "odd.ts");
  writeFileSync(
    path,
    `import { defineWorker } from "${lib}/run/worker.ts";
    import { CRON_VARIABLES } from "${lib}/schedule/schedule.ts";
    export default defineWorker({
      about: "", flags: {}, exits: [],
      environment: ["NFS_TARGET", "RCLONE_CONFIG", ...CRON_VARIABLES],
      work: async ({ settings }) => ({ exitCode: settings.text("RCLONE_CONFIG") === settings.env.TMPDIR ? 0 : settings.count("CRON_LOG_MAX_SIZE") }),
    });`,
  );
  const run = await variablesRead(join(lib, "run/worker.ts"));
  expect([...run]).toContain("HOOK_TIMEOUT_<PHASE>");
  expect(await compare(path, ["NFS_TARGET", "RCLONE_CONFIG", "BACKUP_CRON"], run)).toEqual({
    notDeclared: ["CRON_LOG_MAX_SIZE", "TMPDIR"],
    notRead: ["NFS_TARGET", "BACKUP_CRON"],
  });
});
