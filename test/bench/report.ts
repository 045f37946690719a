/** The table that `make bench` prints, and whether every ratio is within its limit. */

export interface Row {
  readonly what: string;
  readonly ours: number;
  readonly floor: number;
  readonly against: string;
  readonly unit: string;
  /** The ratio that must not be exceeded. */
  readonly limit?: number;
  /** The ratio that we would like. */
  readonly goal?: number;
}

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    figure(row.ours, row),
    row.against,
    figure(row.floor, row),
    ratioOf(row),
    verdictOf(row),
  ]);
  const all = [["what", "ours", "against", "theirs", "ratio", "limit"], ...cells];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => column === 1 || column === 3 || column === 4;
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
  return all.map((row) => line(row).join("  ").trimEnd()).join("\n");
}

export const exceeds = ({ ours, floor, limit }: Row): boolean =>
  limit !== undefined && !(ours / floor <= limit);

function figure(value: number, { unit }: Row): string {
  if (Number.isNaN(value)) return "?";
  return unit === "" ? String(value) : `${value.toFixed(1)} ${unit}`;
}

const ratioOf = ({ ours, floor }: Row): string =>
  Number.isNaN(ours / floor) ? "?" : (ours / floor).toFixed(2);

function verdictOf(row: Row): string {
  if (row.limit === undefined) return "";
  const goal = row.goal === undefined || row.ours / row.floor <= row.goal ? "" : `, goal ${row.goal} missed`;
  return `${row.limit} ${exceeds(row) ? "EXCEEDED" : "ok"}${goal}`;
}
