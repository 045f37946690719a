/**
 * What the system itself knows: signal numbers and the host's name. node:os is loaded only when asked (0.5 ms of
 * CPU, measured): most ticks end without a signal, in containers where HOSTNAME is set.
 */

import { builtin } from "./runtime.ts";

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
