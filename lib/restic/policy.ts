/**
 * A retention policy, which is arguments of `restic forget`: read as restic reads them, and refused where restic would
 * do something else than what was meant. To restic a word that is not a flag is the ID of a snapshot to remove, and
 * versions differ in what they make of a value that is odd. Pure. Checked with 0.14, 0.18 and 0.19.
 */

import { ConfigError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { quoteWord } from "../words.ts";
import { ELSEWHERE } from "./backup-args.ts";
import { isSince } from "./open.ts";
import { GLOBAL_SWITCHES, GLOBAL_VALUES } from "./options.ts";

export interface Policy {
  /** As restic gets them, but for --json, which is ours to give. */
  readonly words: readonly string[];
  /** The same without what would delete, and without what could take our --dry-run back. */
  readonly previewWords: readonly string[];
  /** Fit to be shown, as it was given. */
  readonly shown: string;
  /** At least the newest snapshot of every group stays, whatever the repository holds. */
  readonly keepsNewest: boolean;
  /** So by a --keep-last, -hourly, -daily, -weekly, -monthly or -yearly of 1 or more. */
  readonly keepsByCount: boolean;
  /** Snapshots of different hosts are in different groups. */
  readonly groupsByHost: boolean;
  /** The operator has restic remove groups altogether. */
  readonly mayEmptyGroups: boolean;
  readonly isDryRun: boolean;
  /** A --keep-last or its like says `unlimited`. */
  readonly saysUnlimited: boolean;
  /** Does the policy itself select snapshots by it? */
  readonly filters: { readonly host: boolean; readonly tag: boolean };
}

/** Reads the words of a policy. Throws a ConfigError that names them `name` (`RESTIC_FORGET_ARGS`, `--policy`). */
export function readPolicy(name: string, words: readonly string[]): Policy {
  const given = readFlags(name, words);
  const last = (flag: string) => given.findLast((each) => each.flag === flag)?.value;
  const all = (flag: string) => given.filter((each) => each.flag === flag).map(({ value }) => value);
  const isOn = (flag: string) => isTrue(last(flag) ?? "false");
  const names = (flag: string) => all(flag).some((value) => value !== "");

  const keepsByCount = COUNTS.some((flag) => !/^0*$/.test(last(flag) ?? ""));
  const keepsByAge = AGES.some((flag) => /[1-9]/.test(last(flag) ?? ""));
  const keepsByTag = all("keep-tag").length > 0;
  const selects = names("host") || names("tag") || names("path");
  const mayEmptyGroups = isOn("unsafe-allow-remove-all");
  const shown = words.map(quoteWord).join(" ");
  if (!keepsByCount && !keepsByAge && !keepsByTag && !(mayEmptyGroups && selects)) {
    throw new ConfigError(
      mayEmptyGroups
        ? `${name}: ${shown} would remove every snapshot. Say which, by --host, --tag or --path, or what to keep.`
        : `${name} keeps nothing: ${shown}. Add what to keep, such as --keep-daily 7.`,
    );
  }
  return {
    words: joinWords(given, ["json"]),
    previewWords: joinWords(given, ["json", "prune", "dry-run"]),
    shown,
    keepsNewest: keepsByCount || keepsByAge,
    keepsByCount,
    groupsByHost: /\bhosts?\b/.test(last("group-by") ?? "host,paths"),
    mayEmptyGroups,
    isDryRun: isOn("dry-run"),
    saysUnlimited: COUNTS.some((flag) => all(flag).includes("unlimited")),
    filters: { host: names("host"), tag: names("tag") },
  };
}

/** restic's changelog of 0.16.0, #2565; an older one ends with exit 1 where it reads the word. */
const UNLIMITED_SINCE = "0.16.0";

/** Why the restic of this version cannot apply the policy; undefined where it can, or the version is not known. */
export function tooNewText(name: string, policy: Policy, version: string | undefined): string | undefined {
  if (!policy.saysUnlimited || version === undefined || isSince(version, UNLIMITED_SINCE)) return undefined;
  return (
    `${name}: unlimited is known to restic since ${UNLIMITED_SINCE}, and this one is ${version}. Write a large number ` +
    "instead, such as --keep-daily 100000."
  );
}

const COUNTS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"].map((each) => `keep-${each}`);
const AGES = ["", "-hourly", "-daily", "-weekly", "-monthly", "-yearly"].map((each) => `keep-within${each}`);

type Kind = "count" | "age" | "group" | "switch" | "level" | "text";

const longNames = (flags: ReadonlySet<string>): string[] =>
  [...flags].filter((flag) => flag.startsWith("--")).map((flag) => flag.slice(2));

/** The flags of `restic forget`, its global ones too, by their long names: what --help of the three versions lists. */
const FLAGS: ReadonlyMap<string, Kind> = new Map([
  ...COUNTS.map((flag) => [flag, "count"] as const),
  ...AGES.map((flag) => [flag, "age"] as const),
  ["group-by", "group"],
  ...[
    ..."compact dry-run prune repack-cacheable-only repack-small repack-uncompressed".split(" "),
    ..."unsafe-allow-remove-all json".split(" "),
    ...longNames(GLOBAL_SWITCHES),
  ].map((flag) => [flag, "switch"] as const),
  ...[
    ..."keep-tag host tag path max-unused max-repack-size repack-smaller-than".split(" "),
    ..."password-command password-file repo repository-file".split(" "),
    ...longNames(GLOBAL_VALUES),
  ].map((flag) => [flag, "text"] as const),
  ["verbose", "level"],
]);

const SHORT: Readonly<Record<string, string>> = {
  l: "keep-last",
  H: "keep-hourly",
  d: "keep-daily",
  w: "keep-weekly",
  m: "keep-monthly",
  y: "keep-yearly",
  c: "compact",
  g: "group-by",
  n: "dry-run",
  o: "option",
  p: "password-file",
  q: "quiet",
  r: "repo",
  v: "verbose",
};

interface Given {
  /** The long name, without its dashes. */
  readonly flag: string;
  readonly value: string;
  /** What restic is given for it. */
  readonly words: readonly string[];
}

/** Reads flags as restic's own parser (spf13/pflag) does. Throws a ConfigError for a word that is not a flag. */
function readFlags(name: string, words: readonly string[]): Given[] {
  const found: Given[] = [];
  const refuse = (why: string) => new ConfigError(`${name}: ${why}`);
  const add = (flag: string, shown: string, value: string, given: readonly string[]) => {
    const elsewhere = ELSEWHERE[`--${flag}`];
    if (elsewhere !== undefined) throw refuse(`${shown} has no place in a policy. ${elsewhere}`);
    const problem = checkValue(FLAGS.get(flag) ?? "text", value);
    if (problem !== undefined) throw refuse(`${shown} ${quoteWord(value)} is ${problem}.`);
    found.push({ flag, value, words: given });
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    /** The value in the next word. A flag there is not meant as one, though restic would take it. */
    const next = (shown: string) => {
      const value = words[++at];
      if (value === undefined) throw refuse(`${shown} needs a value.`);
      if (/^-./.test(value)) throw refuse(`${shown} needs a value, and restic would take ${value} for it.`);
      return value;
    };
    if (word === "--" && at === words.length - 1) break;
    if (word === "--" || !/^-./.test(word))
      throw refuse(strayText(word === "--" ? (words[at + 1] ?? "") : word));
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const shown = equals < 0 ? word : word.slice(0, equals);
      const flag = shown.slice(2);
      const kind = FLAGS.get(flag);
      if (kind === undefined) throw refuse(unknownText(shown));
      if (equals >= 0) add(flag, shown, word.slice(equals + 1), [word]);
      else if (kind === "switch" || kind === "level")
        add(flag, shown, kind === "level" ? "1" : "true", [word]);
      else {
        const value = next(shown);
        add(flag, shown, value, [word, value]);
      }
      continue;
    }
    for (let rest = word.slice(1); rest !== ""; ) {
      const shown = `-${rest[0]}`;
      const flag = SHORT[rest[0] ?? ""];
      if (flag === undefined) throw refuse(unknownText(rest.length === word.length - 1 ? word : shown));
      const kind = FLAGS.get(flag);
      rest = rest.slice(1);
      let value: string;
      if (/^=./s.test(rest)) [value, rest] = [rest.slice(1), ""];
      else if (kind === "switch" || kind === "level") value = kind === "level" ? "1" : "true";
      else if (rest !== "") [value, rest] = [rest, ""];
      else value = next(shown);
      add(flag, shown, value, [`--${flag}=${value}`]);
    }
  }
  return found;
}

const joinWords = (given: readonly Given[], without: readonly string[]): string[] =>
  given.filter(({ flag }) => !without.includes(flag)).flatMap(({ words }) => words);

const isTrue = (value: string): boolean => /^(1|t|true)$/i.test(value);

/** Why some restic would misread the value; undefined for one that every version reads alike. */
function checkValue(kind: Kind, value: string): string | undefined {
  switch (kind) {
    // 0.14 takes -1 for "keep none", reads 0x2 and 010 by C's rules, and does not know unlimited: it refuses that itself.
    case "count":
      return /^(0|[1-9][0-9]{0,8}|unlimited)$/.test(value) ? undefined : "no whole number, 0 or more";
    // 0.14 takes a negative one for "keep none".
    case "age":
      return /^([0-9]{1,9}[ymdh])+$/.test(value) ? undefined : "no duration such as 1y5m7d2h";
    case "group":
      return value.split(",").every((each) => /^(hosts?|paths?|tags?|)$/.test(each))
        ? undefined
        : "no list of host, paths and tags";
    case "switch":
      return /^([01tTfF]|true|TRUE|True|false|FALSE|False)$/.test(value)
        ? undefined
        : "neither true nor false";
    case "level":
      return /^[0-9]$/.test(value) ? undefined : "no number";
    default:
      return undefined;
  }
}

/** The dashes that word processors and web pages make of `-` and `--`. */
const DASHES = /^[\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+-*/;

function strayText(word: string): string {
  const dash = DASHES.exec(word)?.[0];
  if (dash !== undefined) {
    const code = (dash.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const flag = nearest(word.slice(dash.length), FLAGS.keys()) ?? word.slice(dash.length);
    return `${quoteWord(word)} begins with a dash of typography (U+${code}), and to restic it is a snapshot's ID. Write --${flag}.`;
  }
  const what = `${quoteWord(word)} is not a flag. restic takes it for the ID of a snapshot, and would remove that`;
  return FLAGS.has(word) ? `${what}. Write --${word}.` : `${what}. Take it out.`;
}

function unknownText(shown: string): string {
  if (/^(-h|--help)$/.test(shown))
    return `${shown} makes restic print its help and apply nothing. Take it out.`;
  const flags = [...FLAGS.keys()].map((flag) => `--${flag}`);
  return `restic forget has no flag ${shown}${didYouMean(nearest(shown, flags))}`;
}
