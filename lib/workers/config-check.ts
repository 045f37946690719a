/** config-check: does the environment make sense? For a person, and for an init container. */

import { type VariableName, variables } from "../config/variables.ts";
import { Context } from "../context.ts";
import { checkAll, type EnvironmentCheck, sentence } from "../doctor/configuration.ts";
import { release } from "../environment.ts";
import { EXIT } from "../errors.ts";
import { writeAll } from "../log/stdout.ts";
import { type Command, type Invocation, workerNames } from "../run/command.ts";
import { masked } from "../state/record.ts";
import { plural, visible } from "../text.ts";
import { iso } from "../time/format.ts";

const FLAGS = { json: { type: "boolean", description: "print one JSON object instead of lines" } } as const;

const command: Command<typeof FLAGS> = {
  about:
    "Validates the environment: every schedule, number and quoted word, and every file that a worker will need. " +
    "Starts no program and asks no network, so that it can gate a deployment as an init container.",
  flags: FLAGS,
  environment: Object.keys(variables) as VariableName[],
  exits: [
    ["0", "nothing is wrong; there may be warnings"],
    ["1", "something is wrong, and each line that says FAIL says what"],
    ["2", "the command line is wrong"],
  ],
  main,
};
export default command;

async function main({ flags, table }: Invocation<typeof FLAGS>): Promise<number> {
  // What Settings would warn of is a check of its own here.
  const context = new Context("config-check", { onOddValue: () => {} });
  const checks = masked(await checkAll(context.settings, workerNames(table)), context.mask);
  const exitCode = count(checks, "fail") > 0 ? EXIT.failed : EXIT.ok;
  writeAll(1, flags.json ? jsonOf(checks, exitCode, context) : textOf(checks));
  return exitCode;
}

const count = (checks: readonly EnvironmentCheck[], status: EnvironmentCheck["status"]) =>
  checks.filter((check) => check.status === status).length;

function textOf(checks: readonly EnvironmentCheck[]): string {
  const lines = checks.map((check) => {
    return `${`[${check.status.toUpperCase()}]`.padEnd(6)} ${visible(sentence(check))}`;
  });
  const [fails, warns] = [count(checks, "fail"), count(checks, "warn")];
  const said = `${plural(fails, "error")}, ${plural(warns, "warning")}`;
  return `${[...lines, "", said].join("\n")}\n`;
}

function jsonOf(checks: readonly EnvironmentCheck[], exitCode: number, { hostname, zone }: Context): string {
  const now = Date.now();
  const report = {
    schema: "restic-backup-helper.config-check/1",
    release,
    hostname,
    generated_at: iso(now, zone),
    generated_epoch: Math.floor(now / 1000),
    warnings: count(checks, "warn"),
    errors: count(checks, "fail"),
    exit_code: exitCode,
    checks,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}
