/**
 * The environment that we were started with, copied once: process.env asks the system anew at every look, and a
 * tick has some hundred looks (0.4 ms, measured).
 *
 * What the system itself knows: signal numbers and the host's name. node:os is loaded only when asked (0.5 ms of
 * CPU, measured): most ticks end without a signal, in containers where HOSTNAME is set.
 *
 * The version of the program and the release string of the image, `<version>-<restic's version>`.
 */

import { builtin } from "./runtime.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export const environment: Environment = { ...process.env };

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

// Put in by the build (see the Makefile); absent when the sources run without one.
declare const BUILD_VERSION: string | undefined;
declare const BUILD_RELEASE: string | undefined;

export const version = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0";

/** The image may be built with another restic than ours: its own word wins. */
export const release =
  environment.RESTIC_BACKUP_HELPER_RELEASE ||
  (typeof BUILD_RELEASE === "string" ? BUILD_RELEASE : "unreleased");

/** What a child is started with; undefined takes a variable out. */
export type ChildEnvironment = Record<string, string | undefined>;
