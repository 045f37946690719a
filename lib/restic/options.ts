/**
 * RESTIC_OPTIONS: words that go before the command of every call of restic. Only restic's global flags can stand there:
 * another word would be taken for the command, and a flag that restic does not know would end every call. Pure.
 */

import { ConfigError } from "../errors.ts";
import { ELSEWHERE, LONG_ELSEWHERE } from "./backup-args.ts";

/** Global flags that take the next word as their value (`restic --help` of 0.14, 0.18 and 0.19). */
export const GLOBAL_VALUES: ReadonlySet<string> = new Set(
  (
    "--cacert --cache-dir --compression --http-user-agent --key-hint --limit-download --limit-upload -o --option " +
    "--pack-size --retry-lock --stuck-request-timeout --tls-client-cert"
  ).split(" "),
);

/** Global flags that take none. */
export const GLOBAL_SWITCHES: ReadonlySet<string> = new Set(
  (
    "--cleanup-cache --insecure-no-password --insecure-tls --no-cache --no-extra-verify --no-lock -q --quiet -v " +
    "-vv -vvv --verbose"
  ).split(" "),
);

/** Global flags that would contradict what this program does, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  ...ELSEWHERE,
  "--json": "The output of restic that is read by this program is asked for in the form that it needs.",
  "--help": "restic would print its help and do nothing.",
};
const LONG: Readonly<Record<string, string>> = { ...LONG_ELSEWHERE, "-h": "--help" };

/** The words themselves. Throws a ConfigError on a word that is not a global flag of restic, or that is refused. */
export function globalOptions(words: readonly string[]): readonly string[] {
  for (let at = 0; at < words.length; at++) {
    const { flag, value } = split(words[at] ?? "");
    const refused = REFUSED[LONG[flag] ?? flag];
    if (refused !== undefined)
      throw new ConfigError(`RESTIC_OPTIONS: ${flag} has no place there. ${refused}`);
    if (GLOBAL_SWITCHES.has(flag)) continue;
    if (!GLOBAL_VALUES.has(flag)) throw new ConfigError(`RESTIC_OPTIONS: ${stranger(flag, at)}`);
    if (value === undefined && ++at === words.length)
      throw new ConfigError(`RESTIC_OPTIONS: ${flag} needs a value, and nothing follows it.`);
  }
  return words;
}

/** Does one of them let restic open the repository without a password? */
export const needsNoPassword = (words: readonly string[]): boolean =>
  words.includes("--insecure-no-password");

/** The flag in a word, and the value that the word has too: `--limit-upload=5`, `-osftp.args=-4`. */
function split(word: string): { flag: string; value?: string } {
  const [, flag = word, value] = /^(--[^=]+|-v+)=(.*)$/s.exec(word) ?? /^(-[orp])(.+)$/s.exec(word) ?? [];
  return value === undefined ? { flag } : { flag, value };
}

/** A word that is not a flag is not repeated: it may be a part of a secret that a missing quote has cut. */
function stranger(word: string, at: number): string {
  return word.startsWith("-")
    ? `restic has no global flag ${word}. Flags of one command belong into its own variable, such as RESTIC_JOB_ARGS.`
    : `word ${at + 1} is neither a flag nor the value of one, and restic would take it for its command. Put a value ` +
        "that holds blanks in quotes.";
}
