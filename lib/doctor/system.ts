/** Section Runtime: what runs here, as which user, at what time, and the programs that the workers start. */

import { readdirSync, realpathSync } from "node:fs";
import { release, version } from "../environment.ts";
import type { Answer } from "../process/child.ts";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { hiddenFromTools } from "../secrets.ts";
import { parsePosixRule } from "../time/tzif.ts";
import { iso, stamp, type Zone } from "../time/zone.ts";
import { Checks, type DoctorContext, type Findings } from "./checks.ts";
import { userOfRclone } from "./replication.ts";

export interface RuntimeJson {
  readonly version: string;
  readonly program: string;
  readonly uid: number;
  readonly time: string;
  readonly timezone: string;
  readonly timezone_known: boolean;
  readonly programs: Readonly<Record<ProgramName, Program>>;
  readonly restic_version: string;
  readonly rclone_version: string;
  readonly bash_version: string;
}

/** What stands for the version of a program that is not there or does not say it. */
const UNAVAILABLE = "unavailable";

export async function runtime(patient: DoctorContext): Promise<Findings<RuntimeJson>> {
  const { hostname, nowMs, zone, env } = patient;
  // rclone takes longest to answer (50 ms, measured), so it is asked first.
  const asked = Promise.all(
    (["rclone", "restic", "busybox", "flock", "bash"] as const).map((name) => findProgram(name, patient)),
  );
  const checks = new Checks("Runtime");
  const uid = process.geteuid?.() ?? 0;
  checks.ok(`restic-backup-helper ${version}, release ${release}, at ${process.execPath}.`);
  checks.ok(`Host ${hostname}, running as user ${uid}${uid === 0 ? " (root)" : ""}.`);
  judgeTime(checks, { tz: env.TZ, zone, nowMs, isMusl: hasMusl() });

  const [rclone, restic, busybox, flock, bash] = (await asked) as [
    Program,
    Program,
    Program,
    Program,
    Program,
  ];
  judgeProgram(checks, "restic", restic, "FAIL", "Every worker that touches the repository needs it.");
  const user = userOfRclone(patient);
  if (user === undefined) judgeProgram(checks, "rclone", rclone, "INFO", "Nothing here needs it.");
  else judgeProgram(checks, "rclone", rclone, "FAIL", `It is needed by ${user}.`);
  judgeProgram(checks, "busybox", busybox, "INFO", "entry needs its crond.");
  judgeProgram(checks, "flock", flock, "FAIL", "Without it no run can take its lock, so no run begins.");
  const shown = ({ version: found }: Program) => found ?? UNAVAILABLE;
  return {
    checks: checks.list,
    json: {
      version,
      program: process.execPath,
      uid,
      time: iso(nowMs, zone),
      timezone: zone.name,
      timezone_known: zone.known,
      programs: { restic, rclone, busybox, flock, bash },
      restic_version: shown(restic),
      rclone_version: shown(rclone),
      bash_version: shown(bash),
    },
  };
}

export interface Clock {
  readonly tz: string | undefined;
  readonly zone: Zone;
  readonly nowMs: number;
  readonly isMusl: boolean;
}

export function judgeTime(checks: Checks, { tz, zone, nowMs, isMusl }: Clock): void {
  const time = `${stamp(nowMs, zone)}, ${iso(nowMs, zone).slice(19)}`;
  if (!zone.known) {
    checks.warn(
      `Time ${time}: TZ=${tz} names no zone that this image knows, so UTC is used. Correct it, or install tzdata.`,
    );
    return;
  }
  checks.ok(`Time ${time}, zone ${zone.name}.`);
  const rule = tz?.replace(/^:/, "") ?? "";
  if (isMusl && !rule.includes(",") && parsePosixRule(rule)?.summer !== undefined) {
    checks.warn(
      `TZ=${tz} names a summer time but not its dates: this program takes those of the United States, as glibc ` +
        "does; musl, and with it this image's crond, stays in summer time. Write the dates, for example " +
        `${rule},M3.2.0,M11.1.0, or name a zone such as America/New_York.`,
    );
  }
}

export function judgeProgram(
  checks: Checks,
  name: ProgramName,
  { path, version: found, problem }: Program,
  missing: "FAIL" | "INFO",
  need: string,
): void {
  if (path === null) checks.add(missing, `${problem ?? `${name} is missing.`} ${need}`);
  else if (found === null) checks.warn(`${name}: ${problem}`);
  else checks.ok(`${name} ${found.startsWith(name) ? found.slice(name.length + 1) : found} at ${path}.`);
}

/** musl's loader is its library, and always has this name. */
function hasMusl(): boolean {
  try {
    return readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
  } catch {
    // No /lib: whatever this image is, it is not Alpine.
    return false;
  }
}

export interface Program {
  readonly path: string | null;
  readonly version: string | null;
  /** Why it cannot be used, or that it does not print its version. */
  readonly problem?: string;
}

/** The words that make a program print its version, and where the version is in the output. */
const QUESTIONS = {
  restic: { words: ["version"], answer: /^restic v?(\S+)/m },
  // Without a configuration of its own choice rclone would create a folder for one.
  rclone: { words: ["version", "--config="], answer: /^rclone v?(\S+)/m },
  busybox: { words: [], answer: /^BusyBox v(\S+)/m },
  flock: { words: ["--version"], answer: /^flock from (util-linux \S+)/m },
  // Nothing of ours needs it; hooks do.
  bash: { words: ["--version"], answer: /^GNU bash, version (\S+)/m },
} as const;

export type ProgramName = keyof typeof QUESTIONS;

/** A healthy program prints its version within milliseconds. */
const VERSION_MS = 10_000;

/** The version in what a program printed; undefined when it is not there. */
export function versionIn(name: ProgramName, output: string): string | undefined {
  return QUESTIONS[name].answer.exec(output)?.[1];
}

export async function findProgram(name: ProgramName, { env, ask }: DoctorContext): Promise<Program> {
  let path: string;
  try {
    path = resolveProgram(name, env.PATH);
    // busybox's flock takes no --version; it is as old as its busybox.
    if (name !== "busybox" && realpathSync(path).endsWith("/busybox")) return { path, version: "busybox" };
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return { path: null, version: null, problem: error.message };
  }
  // Without its garbage collector a Go program answers a tenth sooner, and it does nothing else here.
  return {
    path,
    ...(await versionOf(name, path, (words) =>
      ask(words, VERSION_MS, { ...hiddenFromTools(env), GOGC: "off" }),
    )),
  };
}

async function versionOf(
  name: ProgramName,
  path: string,
  ask: (words: readonly string[]) => Promise<Answer>,
) {
  const silent = (problem: string) => ({ version: null, problem: `${path} ${problem}` });
  try {
    const { code, cause, stdout } = await ask([name, ...QUESTIONS[name].words]);
    if (cause === "timed out") return silent(`did not print its version within ${VERSION_MS / 1000} s.`);
    const version = versionIn(name, stdout);
    return version === undefined ? silent(`does not print its version (exit ${code}).`) : { version };
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return { version: null, problem: error.message };
  }
}
