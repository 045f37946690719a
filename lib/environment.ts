/** What the program was given from outside: its environment, what the system knows, and what the build put in. */

import { builtin } from "./runtime.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a child is started with; undefined removes a variable. */
export type ChildEnvironment = Record<string, string | undefined>;

/**
 * Beginnings of names, after BUN_, of variables that make another program of whatever Bun has compiled: Bun itself, one
 * with a debugger's port or code of somebody else's, one that prints what it sends. test/tools/embed.ts takes them out
 * of the copy of Bun that the build embeds.
 */
export const DISARMED = ["BE_BUN", "OPTIONS", "INSPECT", "CONFIG_VERBOSE_FETCH", "BYTECODE_ORDER_OUT"];

/** Of JavaScriptCore. Bun compares them in a way that cannot be taken out. */
const ENGINE = "BUN_JSC_";

// Copied once: process.env asks the system at every access, and a tick makes some hundred (0.4 ms, measured).
const given: Record<string, string | undefined> = { ...process.env };
const ofRuntime: string[] = [];
for (const name of Object.keys(given)) {
  if (!name.startsWith("BUN_")) continue;
  if (!name.startsWith(ENGINE) && !DISARMED.some((start) => name.startsWith(start, 4))) continue;
  ofRuntime.push(name);
  delete given[name];
}

/** The environment that we and all our children have: what was given, but for the runtime's own variables. */
export const environment: Environment = given;

/** The names of the runtime's own variables that were given. */
export const runtimeVariables: readonly string[] = ofRuntime;

/** One of them that has changed this very process already. */
export const engineVariable = ofRuntime.find((name) => name.startsWith(ENGINE));

/** Loaded on demand (0.5 ms of CPU, measured): most ticks meet no signal, in containers where HOSTNAME is set. */
const os = () => builtin("node:os");

/** The number of a signal on this system; undefined for a name that it does not know. */
export function signalNumber(name: NodeJS.Signals): number | undefined {
  return os().constants.signals[name];
}

export function signalName(number: number): NodeJS.Signals | undefined {
  const { signals } = os().constants;
  return (Object.keys(signals) as NodeJS.Signals[]).find((name) => signals[name] === number);
}

export const systemHostname = (): string => os().hostname();

/** The program's own name, by which it is called when no link names a command. */
export const PROGRAM = "restic-backup-helper";

// Put in by the build (see the Makefile); absent when the sources run without a build.
declare const BUILD_VERSION: string | undefined;
declare const BUILD_RELEASE: string | undefined;

export const version = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0";

/** `<version>-<restic's version>`. The image may have been built with another restic: its variable wins. */
export const release =
  environment.RESTIC_BACKUP_HELPER_RELEASE ||
  (typeof BUILD_RELEASE === "string" ? BUILD_RELEASE : "unreleased");
