import { describe, expect, test } from "bun:test";
import { type Policy, readPolicy } from "../../lib/restic/policy.ts";
import { splitWords } from "../../lib/words.ts";

const read = (policy: string): Policy => readPolicy("RESTIC_FORGET_ARGS", splitWords(policy));

describe("refused: what restic would read as something else than was meant", () => {
  test.each<[string, string]>([
    [
      "keep-daily 7",
      "keep-daily is not a flag. restic takes it for the ID of a snapshot, and would remove that. Write --keep-daily.",
    ],
    [
      "--keep-last 1 7",
      "7 is not a flag. restic takes it for the ID of a snapshot, and would remove that. Take it out.",
    ],
    ["--keep-daily 7 ff", "ff is not a flag."],
    ["latest", "latest is not a flag."],
    ["--keep-last 1 latest --prune", "latest is not a flag."],
    ["-- 1234", "1234 is not a flag."],
    ["-l 2 -r /other", "-r has no place in a policy. Name the repository in RESTIC_REPOSITORY."],
    ["-l 2 -r/other", "-r has no place in a policy."],
    ["-l 2 --repo=/other", "--repo has no place in a policy."],
    ["-l 2 --repository-file f", "--repository-file has no place in a policy."],
    ["-l 2 -p f", "-p has no place in a policy. Name the file in RESTIC_PASSWORD_FILE."],
    ["-l 2 --password-command=cat", "--password-command has no place in a policy."],
    ["-l1 -- --dry-run=false", "--dry-run=false is not a flag."],
    ["--keep-last 1 -", "- is not a flag."],
    ["--keep-last 1 ''", "'' is not a flag."],
    ["--prune true --keep-last 1", "true is not a flag."],
    [
      "\u2014keep-daily 7",
      "'\u2014keep-daily' begins with a dash of typography (U+2014), and to restic it is a snapshot's ID. Write --keep-daily.",
    ],
    ["\u2013\u2013keep-daily 7", "(U+2013), and to restic it is a snapshot's ID. Write --keep-daily."],
    ["\u2011-keep-weekly=7", "(U+2011), and to restic it is a snapshot's ID. Write --keep-weekly."],
    ["\u2212d 7", "(U+2212)"],
    ["-keep-daily 7", "restic forget has no flag -keep-daily; did you mean --keep-daily?"],
    ["--keep-dayly 7", "restic forget has no flag --keep-dayly; did you mean --keep-daily?"],
    ["--keep-dayly=7", "did you mean --keep-daily?"],
    ["--", "keeps nothing"],
    ["--keep-last", "--keep-last needs a value."],
    ["-l", "-l needs a value."],
    ["--keep-tag --prune", "--keep-tag needs a value, and restic would take --prune for it."],
    ["--keep-last --keep-daily 7", "--keep-last needs a value, and restic would take --keep-daily for it."],
    ["--keep-last -1", "--keep-last needs a value, and restic would take -1 for it."],
    ["--keep-last=-1", "--keep-last -1 is no whole number, 0 or more."],
    ["-l-1", "-l -1 is no whole number, 0 or more."],
    ["-d7w4", "-d 7w4 is no whole number, 0 or more."],
    ["--keep-daily 0x7", "--keep-daily 0x7 is no whole number"],
    ["--keep-daily 010", "--keep-daily 010 is no whole number"],
    ["--keep-daily seven", "--keep-daily seven is no whole number"],
    ["--keep-daily ' 7'", "--keep-daily ' 7' is no whole number"],
    ["--keep-within 7", "--keep-within 7 is no duration such as 1y5m7d2h."],
    ["--keep-within=-5d", "--keep-within -5d is no duration"],
    ["--keep-within-daily 1w", "--keep-within-daily 1w is no duration"],
    ["-l1 --group-by hostname", "--group-by hostname is no list of host, paths and tags."],
    ["-l1 --dry-run=nope", "--dry-run nope is neither true nor false."],
    ["-l1 --help", "--help makes restic print its help and apply nothing."],
    ["-l1 -h", "-h makes restic print its help and apply nothing."],
  ])("%p", (policy, words) => expect(() => read(policy)).toThrow(words));
});

describe("refused: what keeps nothing", () => {
  test.each([
    "--prune",
    "--group-by host",
    "--host a --tag b",
    "--keep-last 0",
    "--keep-last=0 -d0 --keep-within 0h",
    "--keep-last 3 --keep-last 0",
    "--unsafe-allow-remove-all",
    "--unsafe-allow-remove-all --host ''",
    "--unsafe-allow-remove-all=false --host old",
  ])("%p", (policy) => expect(() => read(policy)).toThrow(/keeps nothing|would remove every snapshot/));
});

describe("accepted, and what is known of it", () => {
  const usual = {
    keepsNewest: true,
    keepsByCount: true,
    groupsByHost: true,
    mayEmptyGroups: false,
    isDryRun: false,
  };
  test.each<[string, Partial<Policy>]>([
    ["--keep-daily 7", usual],
    ["-l 1", usual],
    ["-l1 -H2 -d=3 --keep-yearly=unlimited", usual],
    ["--keep-last 0 --keep-last 3", usual],
    ["--keep-within 1y5m7d2h", { keepsNewest: true, keepsByCount: false }],
    ["--keep-within-hourly 0y2h", { keepsNewest: true, keepsByCount: false }],
    ["--keep-tag never", { keepsNewest: false, keepsByCount: false }],
    ["--keep-tag=--x --keep-last 0", { keepsNewest: false, keepsByCount: false }],
    ["-l1 --group-by ''", { groupsByHost: false }],
    ["-l1 -g paths,tags", { groupsByHost: false }],
    ["-l1 -gtags,hosts", { groupsByHost: true }],
    ["-l1 -cn", { isDryRun: true }],
    ["-l1 --dry-run=true", { isDryRun: true }],
    ["-l1 -n --dry-run=false", { isDryRun: false }],
    ["--unsafe-allow-remove-all --host old", { mayEmptyGroups: true, keepsNewest: false }],
    ["-l1 --host a --tag b,c", { filters: { host: true, tag: true } }],
    ["-l1 --host '' --path /x", { filters: { host: false, tag: false } }],
    ["-l1 -qvv --verbose=2 --no-lock -o s3.region=x --retry-lock 5m --max-unused 0 --", usual],
  ])("%p", (policy, known) => expect(read(policy)).toMatchObject(known));
});

test.each<[string, string[], string[]]>([
  [
    "--keep-daily 7 --tag 'a b'",
    ["--keep-daily", "7", "--tag", "a b"],
    ["--keep-daily", "7", "--tag", "a b"],
  ],
  ["--keep-last 5 --prune --json=false", ["--keep-last", "5", "--prune"], ["--keep-last", "5"]],
  [
    "--keep-last 5 --prune=true --max-unused 0",
    ["--keep-last", "5", "--prune=true", "--max-unused", "0"],
    ["--keep-last", "5", "--max-unused", "0"],
  ],
  ["--dry-run=false -l5", ["--dry-run=false", "--keep-last=5"], ["--keep-last=5"]],
  [
    "-cn=false -vn -l 5",
    ["--compact=true", "--dry-run=false", "--verbose=1", "--dry-run=true", "--keep-last=5"],
    ["--compact=true", "--verbose=1", "--keep-last=5"],
  ],
])("%p is applied as %j and tried out as %j", (policy, applied, tried) => {
  expect([read(policy).words, read(policy).previewWords]).toEqual([applied, tried]);
});
