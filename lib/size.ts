// Sizes as restic prints them, so that a log shows one manner only.

const UNITS = [
  [2 ** 40, "TiB"],
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;

/**
 * Bytes in restic's manner (its `ui.FormatBytes`): `0 B`, `512 B`, `1.234 MiB`; three decimals, binary units up to
 * TiB. n: a whole number of bytes from 0 to 2^53; below 0 or no number: `0 B`.
 */
export function formatBytes(n: number): string {
  for (const [size, unit] of UNITS) {
    if (n >= size) return `${thousandths(n / size)} ${unit}`;
  }
  return `${n > 0 ? Math.trunc(n) : 0} B`;
}

/** `0.625 of 2.750 GiB`: a part in the unit of its whole, as wide as that, so that it stands still while it grows. */
export function formatPart(part: number, whole: number): string {
  const text = formatBytes(whole);
  const size = UNITS.find(([size]) => whole >= size)?.[0];
  const number = size === undefined ? `${part > 0 ? Math.trunc(part) : 0}` : thousandths(part / size);
  return `${number.padStart(text.indexOf(" "))} of ${text}`;
}

/** Go rounds a tie to the even digit and toFixed rounds it up; only an odd number of sixteenths is a tie. */
function thousandths(value: number): string {
  const isTie = (value * 16) % 2 === 1;
  const floor = Math.floor(value * 1000);
  return isTie ? ((floor + (floor % 2)) / 1000).toFixed(3) : value.toFixed(3);
}
