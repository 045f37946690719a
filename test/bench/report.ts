/** The table that `make bench` prints, and whether every ratio is within its limit. */

import { oldProgram } from "./before.ts";
import type { Figures } from "./paired.ts";

export interface Row {
  readonly what: string;
  readonly ours: number;
  /** The same of the program of before, where there is one (before.ts). */
  readonly before?: number | undefined;
  readonly floor: number;
  readonly against: string;
  readonly unit: string;
  /** The ratio that must not be exceeded. */
  readonly limit?: number;
  /** By how much a figure of before differs from itself, where that is more than NOISE. */
  readonly noise?: number;
  /** The ratio that we would like. */
  readonly goal?: number;
}

interface Bounds {
  readonly limit?: number;
  readonly goal?: number;
}

/** What was measured of a program of ours, and of the one of before. */
export type OurFigures = Figures & { readonly before?: Figures };

/** Wall and CPU time of one command against those of another. */
export const times = (
  what: string,
  ours: OurFigures,
  floor: Figures,
  against: string,
  wall: Bounds = {},
  cpu: Bounds = wall,
): Row[] => [wallRow(what, ours, floor, against, wall), cpuRow(what, ours, floor, against, cpu)];

export const wallRow = (
  what: string,
  ours: OurFigures,
  floor: Figures,
  against: string,
  bounds: Bounds = {},
): Row => ({
  what: `${what}: wall`,
  ours: ours.wallMs,
  before: ours.before?.wallMs,
  floor: floor.wallMs,
  against,
  unit: "ms",
  ...bounds,
});

export const cpuRow = (
  what: string,
  ours: OurFigures,
  floor: Figures,
  against: string,
  bounds: Bounds = {},
): Row => ({
  what: `${what}: CPU`,
  ours: ours.cpuMs,
  before: ours.before?.cpuMs,
  floor: floor.cpuMs,
  against,
  unit: "ms",
  ...bounds,
});

/** What one thing costs alone: a run with it, less a run without it. */
export function less(withIt: OurFigures, without: OurFigures): OurFigures {
  const rest = (a: Figures, b: Figures): Figures => ({
    ...a,
    wallMs: a.wallMs - b.wallMs,
    cpuMs: a.cpuMs - b.cpuMs,
  });
  const now = rest(withIt, without);
  return withIt.before && without.before ? { ...now, before: rest(withIt.before, without.before) } : now;
}

/** What one run differs from another of the same program, the most of it. */
const NOISE = 1.05;

export function formatTable(rows: readonly Row[]): string {
  const compared = oldProgram !== undefined;
  const cells = rows.map((row) => [
    row.what,
    figure(row.ours, row),
    row.against,
    figure(row.floor, row),
    ratioOf(row),
    worstVerdict(row),
    ...(compared ? [row.before === undefined ? "" : figure(row.before, row), againstBefore(row)] : []),
  ]);
  const heading = ["what", "ours", "against", "theirs", "ratio", "limit"];
  const all = [[...heading, ...(compared ? ["before", "now / before"] : [])], ...cells];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => [1, 3, 4, 6].includes(column);
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
  return all.map((row) => line(row).join("  ").trimEnd()).join("\n");
}

export const exceeds = ({ ours, floor, limit }: Row): boolean =>
  limit !== undefined && !(ours / floor <= limit);

/** Dearer than it was, by more than noise. */
export const isWorse = ({ ours, before, noise = NOISE }: Row): boolean =>
  before !== undefined && !Number.isNaN(before) && !(ours / before <= noise);

function againstBefore(row: Row): string {
  if (row.before === undefined || Number.isNaN(row.ours / row.before)) return "";
  return `${(row.ours / row.before).toFixed(2)}${isWorse(row) ? " WORSE" : ""}`;
}

function figure(value: number, { unit }: Row): string {
  if (Number.isNaN(value)) return "?";
  return unit === "" ? String(value) : `${value.toFixed(1)} ${unit}`;
}

const ratioOf = ({ ours, floor }: Row): string =>
  Number.isNaN(ours / floor) ? "?" : (ours / floor).toFixed(2);

function worstVerdict(row: Row): string {
  if (row.limit === undefined) return "";
  const goal = row.goal === undefined || row.ours / row.floor <= row.goal ? "" : `, goal ${row.goal} missed`;
  return `${row.limit} ${exceeds(row) ? "EXCEEDED" : "ok"}${goal}`;
}
