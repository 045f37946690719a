/**
 * Is a backup what it usually is? A source that is empty, or a backup that has collapsed against the last good one, exits
 * 0 and is not a good one. What is usual is learned from good runs alone and handed on by all others, so that no warning
 * fades by repetition; backup --accept takes what is found as usual.
 */

import type { Source } from "../restic/lists.ts";
import type { Run } from "../run/run.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { readRunsEnd, runsByJob } from "../state/history.ts";
import { type Alert, hasSucceeded, type PastRecord } from "../state/record.ts";
import { formatBytes, plural } from "../text.ts";

/** What the next run must know, of this run or handed on from one before. */
export const usualFacts = {
  usual_files: { type: "count", help: "files in the last good backup: what is usual" },
  usual_bytes: { type: "count", help: "bytes in the files of the last good backup" },
  accepted_sources: {
    type: "strings",
    help: "sources that are empty or a symbolic link, as backup --accept was told",
  },
  suspicious_sources: {
    type: "string",
    help: "why the newest backup is not trusted, until one is good: retention is withheld so long",
  },
} as const satisfies Fields;

export type UsualFacts = FactsOf<typeof usualFacts>;

export type Sight =
  | { readonly is: "filled" | "empty" | "only folders" | "no match" | "missing" | "unknown" }
  | { readonly is: "link"; readonly target: string };

export type Seen = Source & { readonly sight: Sight };

/** What restic's summary says of the backup. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** An alert with its remedy, and the same as a short clause for what follows from it. */
export interface Suspicion extends Alert {
  readonly reason: string;
}

export interface Rules {
  /** BACKUP_EXPECT_EMPTY. */
  readonly expectsEmpty: boolean;
  /** BACKUP_MIN_PERCENT; 0 for no bound. */
  readonly minPercent: number;
}

/** What is suspicious about the backup, as alerts; none for a good one. Pure. */
export function suspicions(
  seen: readonly Seen[],
  amount: Amount,
  usual: UsualFacts,
  rules: Rules,
): Suspicion[] {
  const { usual_files, usual_bytes = 0, accepted_sources = [] } = usual;
  const odd = seen.flatMap(({ path, origin, sight }): Suspicion[] => {
    const odd = accepted_sources.includes(path) ? undefined : oddness(sight);
    if (odd === undefined) return [];
    const reason = `${path} ${/^[^:]*[^:.]/.exec(odd)?.[0]}`;
    if (sight.is === "link") {
      const remedy = `Name ${sight.target} instead; if the link alone is meant, run backup --accept.`;
      return [{ kind: "link-source", reason, message: `${path} (${origin}) ${odd} ${remedy}` }];
    }
    if (rules.expectsEmpty) return [];
    return [{ kind: "empty-source", reason, message: `${path} (${origin}) ${odd} ${IF_MEANT_EMPTY}` }];
  });
  const { files, bytes } = amount;
  if (odd.length > 0) return odd;
  const names = seen.map(({ path, origin }) => `${path} (${origin})`).join(", ") || "the source";
  if (files === 0) {
    if (rules.expectsEmpty || usual_files === 0 || seen.some(({ path }) => accepted_sources.includes(path)))
      return [];
    const message = `Not a single file was saved of ${names}. Do excludes leave out all of it? ${IF_MEANT_EMPTY}`;
    return [{ kind: "empty-source", reason: `not a single file was saved of ${names}`, message }];
  }
  const share = rules.minPercent / 100;
  const fell =
    files < (usual_files ?? 0) * share
      ? `${plural(files, "file")}, and the last good one held ${usual_files}`
      : bytes < usual_bytes * share
        ? `${formatBytes(bytes)}, and the last good one held ${formatBytes(usual_bytes)}`
        : undefined;
  if (fell === undefined) return [];
  const message =
    `This backup of ${names} holds ${fell}: less than ${rules.minPercent} % (BACKUP_MIN_PERCENT). Is a part of it not ` +
    "mounted, or deleted? Bring it back; if it is meant to be so, run backup --accept.";
  return [{ kind: "collapsed", reason: `the backup of ${names} holds ${fell}`, message }];
}

/** Why a snapshot is not trusted, short: its alerts say the rest. */
function suspicionText([first, ...others]: readonly Suspicion[]): string {
  const more = others.length === 0 ? "" : `, and ${plural(others.length, "other")}`;
  return `a source is suspicious: ${first?.reason}${more}.`;
}

const IF_MEANT_EMPTY =
  "Mount it; if it is meant to be empty, run backup --accept, or set BACKUP_EXPECT_EMPTY=ON for all times.";

/** What is odd about a source, a clause and its end; undefined for a source that is as it should be, or of which restic itself complains. */
function oddness(sight: Sight): string | undefined {
  switch (sight.is) {
    case "empty":
      return "is empty: is its volume not mounted?";
    case "only folders":
      return "holds folders, but not a single file: is its volume not mounted?";
    case "no match":
      return "matches nothing: is its volume not mounted?";
    case "link":
      return `is a symbolic link: restic saves the link, and nothing of ${sight.target}, to which it leads.`;
    default:
      return undefined;
  }
}

/** The sources that hold nothing, or are a link: what backup --accept takes as they are. */
const oddPaths = (seen: readonly Seen[]): string[] =>
  seen.filter(({ sight }) => oddness(sight) !== undefined).map(({ path }) => path);

/** Bytes of the history's end in which the last good run is looked for. */
const HISTORY_BYTES = 1024 * 1024;

/**
 * What the run before, whose record's fields are `last`, has handed on. The history is asked only where the record does not say it: it is lost, or an older
 * release wrote it.
 */
export function formerUsual(logDir: string, last: Readonly<Record<string, unknown>>): UsualFacts {
  const found = usualIn(last as unknown as PastRecord);
  if (found !== undefined) return found;
  const past = runsByJob(readRunsEnd(logDir, HISTORY_BYTES), ["backup"], Number.POSITIVE_INFINITY).get(
    "backup",
  );
  for (const run of (past ?? []).toReversed()) {
    const usual = usualIn(run);
    if (usual !== undefined) return usual;
  }
  return {};
}

function usualIn(run: PastRecord): UsualFacts | undefined {
  const { usual_files, usual_bytes, accepted_sources, suspicious_sources } = run;
  const handed = {
    ...(Array.isArray(accepted_sources) ? { accepted_sources } : {}),
    ...(typeof suspicious_sources === "string" ? { suspicious_sources } : {}),
  };
  if (isCount(usual_files))
    return { usual_files, usual_bytes: isCount(usual_bytes) ? usual_bytes : 0, ...handed };
  if ("suspicious_sources" in handed) return handed;
  // A release before this one took an empty backup for a good one.
  const { total_files_processed: files, total_bytes_processed: bytes } = run;
  if (!hasSucceeded(run) || !isCount(files) || files === 0) return undefined;
  return { usual_files: files, usual_bytes: isCount(bytes) ? bytes : 0 };
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;

/**
 * Judges the sources of a backup whose snapshot was made: says what is suspicious by alerts, or takes it as usual where
 * `accepts` says so. Resolves to why the snapshot is not to be trusted, a clause; undefined when it is.
 */
export async function judgeSources(
  run: Run<UsualFacts & SummaryFacts>,
  before: readonly Seen[],
  former: UsualFacts,
  { accepts, isGood, lookInto }: Judging,
): Promise<string | undefined> {
  const { facts, settings, log } = run;
  const { total_files_processed: files, total_bytes_processed: bytes = 0 } = facts;
  if (files === undefined) return undefined;
  // A single source has not been looked into, for restic's count says enough, unless it is 0.
  const seen = files === 0 ? await lookInto(before) : before;
  const expectsEmpty = settings.flag("BACKUP_EXPECT_EMPTY");
  const rules = { expectsEmpty, minPercent: settings.count("BACKUP_MIN_PERCENT") };
  const alerts = accepts ? [] : suspicions(seen, { files, bytes }, former, rules);
  for (const { kind, message } of alerts) run.alert(kind, message);
  if (alerts.length > 0) {
    facts.suspicious_sources = suspicionText(alerts);
    return facts.suspicious_sources;
  }
  if (!accepts && !isGood) return undefined;
  delete facts.suspicious_sources;
  const odd = oddPaths(seen);
  facts.accepted_sources = accepts ? odd : odd.filter((path) => former.accepted_sources?.includes(path));
  if (facts.accepted_sources.length === 0) delete facts.accepted_sources;
  if (accepts)
    log.info(`From now on this is taken as usual: ${plural(files, "file")}, ${formatBytes(bytes)}.`);
  // An empty source that is expected says nothing of what it holds when it is not empty.
  else if (files === 0 && expectsEmpty) return undefined;
  run.addFacts({ usual_files: files, usual_bytes: bytes });
  return undefined;
}

interface Judging {
  /** backup --accept. */
  readonly accepts: boolean;
  /** Is there nothing else wrong with the run? */
  readonly isGood: boolean;
  /** Looks into each source: lookAt() of sight.ts. */
  readonly lookInto: (sources: readonly Source[]) => Promise<readonly Seen[]>;
}

interface SummaryFacts {
  total_files_processed?: number;
  total_bytes_processed?: number;
}
