/** Measures commands against each other in one run: taken in turn, so that a busy machine slows all alike. */

import { before } from "./before.ts";

export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Record<string, string | undefined>;
  /** Exit code that says that it did what it was to do. Default: 0. */
  readonly code?: number;
  /** Undoes what one round has left, outside of the time that is measured. */
  readonly reset?: (command: readonly string[]) => void;
}

export interface Measure extends Figures {
  readonly name: string;
  /** Of the program of before (before.ts), for a contender that is a program of ours. */
  readonly before?: Figures;
}

export interface Figures {
  /** Medians, in milliseconds; CPU is user plus system time, all waited-for children included. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The most of all rounds, in MiB, of the largest process. */
  readonly peakMiB: number;
}

type Sample = Figures;

/**
 * Runs every contender `rounds` times, in turn, after `warm` rounds that do not count. Where there is a program of
 * before, it has its turn right after ours, or right before it: each is first in every second round.
 */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
  warm = 5,
): Promise<Measure[]> {
  const pairs = contenders.map((now) => ({
    now,
    older: before(now.command),
    samples: [] as Sample[],
    old: [] as Sample[],
  }));
  for (let round = -warm; round < rounds; round++) {
    for (const { now, older, samples, old } of pairs) {
      const turns = [
        { contender: now, into: samples },
        ...(older === undefined ? [] : [{ contender: { ...now, command: older }, into: old }]),
      ];
      for (const { contender, into } of round % 2 === 0 ? turns : turns.reverse()) {
        contender.reset?.(contender.command);
        const sample = await once(contender);
        if (round >= 0) into.push(sample);
      }
    }
  }
  return pairs.map(({ now: { name }, older, samples, old }) => ({
    name,
    ...summary(samples),
    ...(older === undefined ? {} : { before: summary(old) }),
  }));
}

async function once({ name, command, env, code = 0 }: Contender): Promise<Sample> {
  const begun = performance.now();
  const child = Bun.spawn([...command], { env, stdout: "ignore", stderr: "ignore", stdin: "ignore" });
  const exit = await child.exited;
  const wallMs = performance.now() - begun;
  if (exit !== code) throw new Error(`${name} ended with ${exit} instead of ${code}: ${command.join(" ")}`);
  const usage = child.resourceUsage();
  if (usage === undefined) throw new Error(`${name}: the system told nothing of its use of resources`);
  return { wallMs, cpuMs: Number(usage.cpuTime.total) / 1000, peakMiB: usage.maxRSS / 2 ** 20 };
}

function summary(samples: readonly Sample[]) {
  return {
    wallMs: median(samples.map((sample) => sample.wallMs)),
    cpuMs: median(samples.map((sample) => sample.cpuMs)),
    peakMiB: Math.max(...samples.map((sample) => sample.peakMiB)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
