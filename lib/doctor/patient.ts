/** What doctor looks at, gathered once for all sections. */

import { knownNames, type Misspelt, misspelt } from "../config/misspelt.ts";
import { Settings } from "../config/settings.ts";
import { type Environment, environment } from "../environment.ts";
import { systemHostname } from "../host.ts";
import { type Answer, ask } from "../process/ask.ts";
import type { ChildEnvironment } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { hookPhases, type Row } from "../run/command.ts";
import { withoutOurs } from "../run/scene.ts";
import { localZone, type Zone } from "../time/zone.ts";

export interface Patient {
  readonly env: Environment;
  /** Says nothing of odd values: the sections that judge them do. */
  readonly settings: Settings;
  readonly hostname: string;
  /** The rows of the table that are runs. */
  readonly runs: readonly Row[];
  readonly phases: readonly string[];
  /** The name of every variable that we read. */
  readonly known: ReadonlySet<string>;
  /** Variables that nobody reads, but nearly so. */
  readonly misspelt: readonly Misspelt[];
  readonly nowMs: number;
  readonly zone: Zone;
  /** Runs a program, with `added` to its environment, for at most so many milliseconds. Throws CannotStart. */
  ask(command: readonly string[], timeoutMs: number, added?: ChildEnvironment): Promise<Answer>;
}

export function patientOf(table: readonly Row[], stop: Stop): Patient {
  const settings = new Settings(environment, () => {});
  const theirs = withoutOurs(environment);
  const runs = table.filter(({ kind }) => kind === "run");
  const phases = hookPhases(table);
  const known = knownNames(
    phases,
    runs.map(({ name }) => name),
  );
  return {
    env: environment,
    settings,
    hostname: settings.text("HOSTNAME") || systemHostname(),
    runs,
    phases,
    known,
    misspelt: misspelt(environment, known),
    nowMs: Date.now(),
    zone: localZone(),
    ask: (command, timeoutMs, added = {}) => ask(command, { env: { ...theirs, ...added }, timeoutMs, stop }),
  };
}
