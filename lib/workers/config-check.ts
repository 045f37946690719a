/** config-check: does the environment make sense? For a person, and for an init container. */

import { type VariableName, variables } from "../config/variables.ts";
import { type Check, countStatus, sentence } from "../doctor/checks.ts";
import { checkEnvironment } from "../doctor/configuration.ts";
import { release } from "../environment.ts";
import { EXIT } from "../errors.ts";
import { isTerminal, print } from "../log/stdout.ts";
import { masked } from "../mask.ts";
import { type Command, type Invocation, workerNames } from "../run/command.ts";
import { Scheduled } from "../state/schedules.ts";
import { plural, singleLine, visibleJson } from "../text.ts";
import { iso } from "../time/zone.ts";

const FLAGS = {
  json: { type: "boolean", alias: "j", description: "print one JSON object instead of lines" },
} as const;

const command: Command<typeof FLAGS> = {
  about:
    "Validates the environment: every schedule, number and quoted word, and every file that a worker will need. " +
    "Asks no network, and starts no program but restic version where an answer depends on it, so that it can gate a deployment as an init container.",
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
  const context = new Scheduled("config-check");
  const checks = masked(await checkEnvironment(context, workerNames(table)), context.mask);
  const exitCode = countStatus(checks, "FAIL") > 0 ? EXIT.failed : EXIT.ok;
  print(flags.json ? formatJson(checks, exitCode, context) : formatText(checks));
  return exitCode;
}

/** Three words are enough here: what is not needed (INFO to doctor) is as it should be. */
const WORDS = { OK: "ok", INFO: "ok", WARN: "warn", FAIL: "fail" } as const;

/** On a terminal what is wrong stands once more at the end, where it is seen. */
function formatText(checks: readonly Check[]): string {
  const line = (check: Check) =>
    `${`[${WORDS[check.status].toUpperCase()}]`.padEnd(6)} ${singleLine(sentence(check))}`;
  const of = (status: Check["status"]) => checks.filter((check) => check.status === status);
  const [fails, warns] = [of("FAIL"), of("WARN")];
  const again = isTerminal(1) ? [...warns, ...fails].map(line) : [];
  const summary = `${plural(fails.length, "error")}, ${plural(warns.length, "warning")}`;
  return `${[...checks.map(line), "", ...again, summary].join("\n")}\n`;
}

function formatJson(checks: readonly Check[], exitCode: number, { hostname, zone }: Scheduled): string {
  const now = Date.now();
  const report = {
    schema: "restic-backup-helper.config-check/1",
    release,
    hostname,
    generated_at: iso(now, zone),
    generated_epoch: Math.floor(now / 1000),
    warnings: countStatus(checks, "WARN"),
    errors: countStatus(checks, "FAIL"),
    exit_code: exitCode,
    checks: checks.map(({ key = "", status, message }) => ({ key, status: WORDS[status], message })),
  };
  return `${visibleJson(report)}\n`;
}
