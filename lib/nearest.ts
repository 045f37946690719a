// What somebody may have meant by a word that is not known.

/**
 * The candidate with the smallest distance to the word (the first of equals), letter case aside; undefined when
 * none is close: more than `most` slips (two, or a third of the word's length where that is larger), or a word
 * with which it shares nothing.
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
    const found = distance(wanted, candidate.toLowerCase());
    if (found > limit || found >= Math.max(word.length, candidate.length)) continue;
    best = candidate;
    limit = found - 1; // from here on only a nearer one will do
  }
  return best;
}

/**
 * Damerau–Levenshtein in its restricted form (optimal string alignment): letters added, dropped or changed, and
 * neighbours exchanged, each counts 1.
 */
function distance(a: string, b: string): number {
  // One row of the table for each letter of a; a cell off the table is too dear to be chosen.
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    const cell = (cells: number[], column: number) => cells[column] ?? Infinity;
    for (let column = 1; column <= b.length; column += 1) {
      const changed = a[row - 1] === b[column - 1] ? 0 : 1;
      const exchanged = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          cell(above, column) + 1,
          cell(current, column - 1) + 1,
          cell(above, column - 1) + changed,
          exchanged ? cell(before, column - 2) + 1 : Infinity,
        ),
      );
    }
    [before, above] = [above, current];
  }
  return above[b.length] ?? Infinity;
}
