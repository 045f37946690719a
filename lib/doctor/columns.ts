/** Names and values, one below the other. Pure. */

/** Wider names stand out of the column. */
const WIDEST = 32;

export function columns(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.min(WIDEST, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Words after `title`, separated by commas, in lines of at most `width` characters. */
export function wrapped(title: string, words: readonly string[], width = 100): string[] {
  const lines: string[] = [];
  let line = title;
  words.forEach((word, at) => {
    const next = at < words.length - 1 ? `${word},` : word;
    if (line.length + 1 + next.length > width && line !== title) {
      lines.push(line);
      line = `  ${next}`;
    } else {
      line = `${line} ${next}`;
    }
  });
  return words.length === 0 ? [] : [...lines, line];
}
