/** doctor: says what is wrong and what to do about it, changing nothing. */

import { type VariableName, variables } from "../config/variables.ts";
import { DoctorContext } from "../doctor/checks.ts";
import { buildReport, conclude, formatSection, isProblem } from "../doctor/rendering.ts";
import { type Examined, examine, examineHooks } from "../doctor/sections.ts";
import { release } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { isTerminal, print, writeAll } from "../log/stdout.ts";
import { masked } from "../mask.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import type { Command, FlagValues, Invocation } from "../run/command.ts";
import { visibleJson } from "../text.ts";
import { iso } from "../time/zone.ts";

const FLAGS = {
  hooks: { type: "boolean", description: "only the hooks section; any problem there gives exit 1" },
  "from-upstream": {
    type: "boolean",
    description: "only what a move here from marc0janssen/restic-backup-helper 2.14 keeps, changes or loses",
  },
  json: { type: "boolean", alias: "j", description: "print JSON, schema restic-backup-helper.doctor/1" },
} as const;

const command: Command<typeof FLAGS> = {
  about:
    "Looks at the configuration, the repository, the hooks and what the last runs left behind, and says what is " +
    "wrong and what to do about it. Changes nothing: no lock is taken, no hook is run, nothing is created.",
  flags: FLAGS,
  environment: Object.keys(variables) as VariableName[],
  exits: [
    ["0", "nothing has failed; there may be warnings"],
    ["1", "a check failed; with --hooks, also a warning; with --from-upstream, something would be lost"],
    ["2", "the command line is wrong; nothing was looked at"],
    ["128+n", "signal n ended it"],
  ],
  main,
};
export default command;

/** Milliseconds in which everything that doctor has started is gone after a signal. */
const STOP_MS = 2000;

async function main({ flags, table }: Invocation<typeof FLAGS>): Promise<number> {
  const stop = new Stop(() => STOP_MS);
  stop.install();
  const patient = new DoctorContext(table, stop);
  const { mask } = patient;
  const colour = isTerminal(1) && !patient.env.NO_COLOR;
  const show = ({ section, findings }: Examined) =>
    writeAll(1, formatSection(section, findings, mask, colour));

  const sections = await chooseSections(flags, patient);
  const examined: Examined[] = [];
  for (const section of sections) {
    const each = await section;
    if (stop.signal !== undefined) {
      // Nothing that was started may outlive us.
      await Promise.all(sections);
      return exitCodeOfSignal(stop.signal);
    }
    if (!flags.json) {
      if (examined.length > 0) writeAll(1, "\n");
      show(each);
    }
    examined.push(each);
  }
  const checks = examined.flatMap(({ findings }) => findings.checks);
  const isWrong = flags.hooks ? isProblem : ({ status }: { status: string }) => status === "FAIL";
  const exitCode = checks.some(isWrong) ? EXIT.failed : EXIT.ok;
  if (flags.json) {
    const report = buildReport(buildHeading(patient), checks, buildParts(examined), exitCode);
    print(`${visibleJson(masked(report, mask))}\n`);
  } else if (!flags.hooks) {
    writeAll(1, "\n");
    show({ section: "Summary", key: undefined, findings: conclude(checks) });
  }
  return exitCode;
}

async function chooseSections(
  flags: FlagValues<typeof FLAGS>,
  patient: DoctorContext,
): Promise<readonly (Examined | Promise<Examined>)[]> {
  if (flags.hooks && flags["from-upstream"])
    throw new UsageError("--hooks and --from-upstream are two reports. Give one of them.");
  if (flags.hooks) return [examineHooks(patient)];
  if (!flags["from-upstream"]) return examine(patient);
  const { examineMove } = await import("../doctor/upstream.ts");
  return examineMove(patient);
}

function buildHeading({ hostname, nowMs, zone }: DoctorContext) {
  return {
    release,
    hostname,
    generated_at: iso(nowMs, zone),
    generated_epoch: Math.floor(nowMs / 1000),
  };
}

function buildParts(examined: readonly Examined[]): Record<string, unknown> {
  return Object.fromEntries(
    examined.flatMap(({ key, findings }) => (key === undefined ? [] : [[key, findings.json]])),
  );
}
