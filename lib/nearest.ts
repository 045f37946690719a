/** Guesses what was meant by an unknown word. Pure. */

/** Ends a sentence about an unknown word: "; did you mean backup?", or a full stop when there is no guess. */
export const didYouMean = (guess: string | undefined): string =>
  guess === undefined ? "." : `; did you mean ${guess}?`;

/**
 * The candidate with the smallest distance to the word, ignoring case; the first one of equals. undefined when none
 * is close: when it is more than `most` slips away (default: two, or a third of the word's length where that is
 * larger), or shares nothing with the word.
 */
export function nearest(
  word: string,
  candidates: Iterable<string>,
  most = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let limit = most;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const found = distance(wanted, candidate.toLowerCase(), limit);
    if (found > limit || found >= Math.max(word.length, candidate.length)) continue;
    best = candidate;
    limit = found - 1; // from now on only a nearer one counts
  }
  return best;
}

/**
 * Damerau–Levenshtein in its restricted form (optimal string alignment): a letter added, dropped or changed, or two
 * neighbours exchanged, counts 1. Infinity when it is more than `limit`: the calculation then stops early.
 */
function distance(a: string, b: string, limit: number): number {
  // Three rows of the table. Cells further than `limit` from its diagonal cost more than that and stay infinite.
  let before: number[] = new Array(b.length + 1).fill(Infinity);
  let above: number[] = Array.from(before, (_, column) => (column <= limit ? column : Infinity));
  let current: number[] = [...before];
  for (let row = 1; row <= a.length; row += 1) {
    const first = Math.max(1, row - limit);
    const last = Math.min(b.length, row + limit);
    const cell = (cells: number[], column: number) => cells[column] ?? Infinity;
    current[first - 1] = first === 1 ? row : Infinity;
    let least = cell(current, first - 1);
    for (let column = first; column <= last; column += 1) {
      const changed = a[row - 1] === b[column - 1] ? 0 : 1;
      const exchanged = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const value = Math.min(
        cell(above, column) + 1,
        cell(current, column - 1) + 1,
        cell(above, column - 1) + changed,
        exchanged ? cell(before, column - 2) + 1 : Infinity,
      );
      current[column] = value;
      least = Math.min(least, value);
    }
    // An exchange reaches back two rows at a cost of 1, so one row above the limit by more than 1 settles it.
    if (least > limit + 1) return Infinity;
    [before, above, current] = [above, current, before];
  }
  return above[b.length] ?? Infinity;
}
