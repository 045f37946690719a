/** What the words of RESTIC_JOB_ARGS, which go to `restic backup`, say of what is read. Pure. */

/** Flags of `restic backup` that take the next word as their value (restic's manual, 0.14 to 0.19). */
const TAKING = new Set(
  (
    "-e --exclude --exclude-file --exclude-if-present --exclude-larger-than --files-from --files-from-raw " +
    "--files-from-verbatim -g --group-by -H --host --iexclude --iexclude-file --parent --read-concurrency " +
    "--stdin-filename --tag --time --cacert --cache-dir --compression --http-user-agent --key-hint " +
    "--limit-download --limit-upload -o --option --pack-size --password-command -p --password-file -r --repo " +
    "--repository-file --retry-lock --stuck-request-timeout --tls-client-cert"
  ).split(" "),
);

/** The paths among the words: those that are neither a flag nor the value of one. */
export function pathsIn(words: readonly string[]): string[] {
  const paths: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return [...paths, ...words.slice(at + 1)];
    if (!word.startsWith("-") || word === "-") paths.push(word);
    else if (TAKING.has(word)) at++;
  }
  return paths;
}

/** Does it stay on the file system of each source? */
export function staysOnOneFileSystem(words: readonly string[]): boolean {
  const cut = words.indexOf("--");
  const flags = cut < 0 ? words : words.slice(0, cut);
  return flags.some((word) => word === "--one-file-system" || /^-[fnqvx]*x[fnqvx]*$/.test(word));
}
