/** A small picture of how a number developed. Pure. */

const BARS = "▁▂▃▄▅▆▇█";

/** One sign for each value, its height from 0 to the largest; a blank where there is none. */
export function sparkline(values: readonly (number | undefined)[]): string {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  return values
    .map((value) => {
      if (value === undefined) return " ";
      const step = most === 0 ? 0 : Math.round((Math.max(0, value) / most) * (BARS.length - 1));
      return BARS.charAt(step);
    })
    .join("");
}
