/** The files that the words of `restic backup` name: lists of what to back up, and of what not. Pure. */

export interface NamedFile {
  /** As it was written: `--files-from`. */
  readonly flag: string;
  readonly path: string;
}

const FLAGS = [
  "--files-from",
  "--files-from-verbatim",
  "--files-from-raw",
  "--exclude-file",
  "--iexclude-file",
];

/** In their order. `-` means standard input and names no file; words after `--` are paths, not flags. */
export function namedFiles(words: readonly string[]): NamedFile[] {
  const found: NamedFile[] = [];
  for (let at = 0; at < words.length && words[at] !== "--"; at++) {
    const [word = "", inline] = splitOnce(words[at] ?? "");
    if (!FLAGS.includes(word)) continue;
    const path = inline ?? words[++at];
    if (path !== undefined && path !== "-") found.push({ flag: word, path });
  }
  return found;
}

function splitOnce(word: string): [string, string?] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}
