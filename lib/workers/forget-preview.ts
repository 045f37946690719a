/** forget-preview: which snapshots forget would keep, and which it would remove. Removes none. */

import { ConfigError, EXIT, Failure, UsageError } from "../errors.ts";
import {
  decisionTable,
  emptied,
  type ForgetGroup,
  groupText,
  isForgetGroup,
  sortedGroups,
  tally,
} from "../restic/forget-groups.ts";
import { ownSnapshots, readScope, type Scope, scopeBy } from "../restic/forget-scope.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import { resticVersion } from "../restic/open.ts";
import { type Policy, readPolicy, tooNewText } from "../restic/policy.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { RETENTION_ENVIRONMENT } from "../restic/retention.ts";
import { type Filter, filterText, matches } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { plural } from "../text.ts";
import { localZone } from "../time/zone.ts";
import { quoteWord, splitWords, UnbalancedQuote } from "../words.ts";

const flags = {
  policy: {
    type: "string",
    words: true,
    valueHint: "WORDS",
    description: 'the policy, such as "--keep-daily 7"; RESTIC_FORGET_ARGS unless given',
  },
  extra: {
    type: "string",
    words: true,
    valueHint: "WORDS",
    description: "further words for restic forget",
  },
  tag: {
    type: "string",
    valueHint: "TAG",
    description: "only snapshots with this tag, which forget itself does not",
  },
  host: {
    type: "string",
    valueHint: "HOST",
    description: "only snapshots of this host, which forget itself does not",
  },
  "repo-wide": {
    type: "boolean",
    description: "every snapshot that the policy is about, one by one, whatever RESTIC_FORGET_SCOPE says",
  },
} as const;

const facts = {
  policy: { type: "string", help: "the policy, as words for restic forget" },
  policy_args: { type: "string", help: "the same as policy" },
  extra_args: { type: "string", help: "--extra, as words for restic forget" },
  repo_wide: { type: "switch", help: "--repo-wide was given" },
  tag_filter: { type: "string", help: "only snapshots with this tag; empty for any" },
  host_filter: { type: "string", help: "only snapshots of this host; empty for any" },
  snapshots_kept: { type: "count", help: "snapshots that the policy keeps" },
  snapshots_to_remove: { type: "count", help: "snapshots that the policy removes" },
} as const satisfies Fields;

export default defineWorker({
  about:
    "Shows what forget would do with every snapshot, and deletes nothing: restic gets --dry-run, and --prune is taken " +
    "out of the policy. The groups in which this host and tag have a snapshot are shown in full, each of the others in " +
    "a line.",
  flags,
  environment: [...RESTIC_ENVIRONMENT, ...RETENTION_ENVIRONMENT],
  exits: [
    ["0", "restic has said what it would do"],
    ["1", "restic failed, or forget would refuse the policy, as it keeps no snapshot of a group"],
    ...REPOSITORY_EXITS,
  ],
  check: ({ flags }) => checkFlags(flags),
  facts,
  subject: ({ repository }) => repository,
  work,
});

type PreviewFlags = FlagValues<typeof flags>;

function checkFlags(given: PreviewFlags): void {
  const { tag, host, policy, extra } = given;
  if (tag?.trim() === "" || host?.trim() === "") {
    throw new UsageError("--tag and --host need a value here. --repo-wide looks at all snapshots.");
  }
  if (given["repo-wide"] && (tag ?? host) !== undefined) {
    throw new UsageError("--repo-wide looks at all snapshots, --tag and --host at some; give one of them.");
  }
  words("--policy", policy);
  words("--extra", extra);
}

function words(flag: string, text: string | undefined): string[] | undefined {
  try {
    return text === undefined ? undefined : splitWords(text);
  } catch (error) {
    if (!(error instanceof UnbalancedQuote)) throw error;
    throw new UsageError(`${flag}: ${error.message}.`);
  }
}

async function work(
  run: Run<FactsOf<typeof facts>>,
  { flags }: { readonly flags: PreviewFlags },
): Promise<Outcome> {
  const policy = readGivenPolicy(run, flags);
  const tooNew = policy.saysUnlimited
    ? tooNewText("The policy", policy, await resticVersion(run))
    : undefined;
  if (tooNew !== undefined) throw new ConfigError(tooNew);
  const scope = previewed(run, flags, policy);
  const own = ownFilter(run, flags, policy);
  const restic = new Restic(run);
  const { shown } = policy;
  run.addFacts({
    policy: shown,
    policy_args: shown,
    extra_args: flags.extra ?? "",
    repo_wide: flags["repo-wide"] ? "ON" : "OFF",
    tag_filter: scope.filter.tag,
    host_filter: scope.filter.host,
  });
  const narrowed = filterText(scope.filter);
  run.log.info(
    `What ${shown} would make of ${narrowed ? `snapshots ${narrowed}` : "all snapshots"}. Nothing is deleted.`,
  );
  tellDifference(run, flags, scope, readScope(run, policy));

  const asked = ["forget", "--dry-run", "--json", ...scope.words, ...policy.previewWords];
  const groups = sortedGroups(await restic.ask(asked, "what it would forget", isForgetGroup));
  const { kept, removed } = tally(groups);
  run.addFacts({ snapshots_kept: kept, snapshots_to_remove: removed });
  if (kept + removed === 0) {
    run.log.warn("restic names no snapshot: none matches.");
    return { exitCode: EXIT.ok };
  }
  show(run, groups, own);
  run.log.info(`Of ${plural(kept + removed, "snapshot")} ${kept} would be kept and ${removed} removed.`);
  const [gone] = policy.mayEmptyGroups ? [] : emptied(groups);
  if (gone === undefined) return { exitCode: EXIT.ok };
  throw new Failure(
    `forget refuses this policy, which keeps no snapshot of ${groupText(gone)}. Add what to keep, such as --keep-last 1.`,
    EXIT.failed,
  );
}

/** The groups with a snapshot that `own` matches in full, the others in a line each; without `own` all in full. */
function show({ log }: Run, groups: readonly ForgetGroup[], own: Filter | undefined): void {
  const isOwn = ({ keep, remove }: ForgetGroup) =>
    own === undefined || [...(keep ?? []), ...(remove ?? [])].some((snapshot) => matches(snapshot, own));
  const full = groups.filter(isOwn);
  if (full.length > 0) for (const line of decisionTable(full, localZone())) log.info(line);
  else log.warn(`None of these snapshots is one ${filterText(own ?? { host: "", tag: "" })}.`);
  for (const group of groups) {
    if (isOwn(group)) continue;
    const { kept, removed } = tally([group]);
    log.info(`${groupText(group)}: ${kept} would be kept and ${removed} removed.`);
  }
}

/** Throws a ConfigError when there is none. */
function readGivenPolicy({ settings }: Run, given: PreviewFlags): Policy {
  const own = words("--policy", given.policy) ?? settings.words("RESTIC_FORGET_ARGS");
  const policy = [...own, ...(words("--extra", given.extra) ?? [])];
  if (policy.length === 0) {
    throw new ConfigError(
      "There is no policy. Set RESTIC_FORGET_ARGS, or give --policy, for example --policy '--keep-daily 7'.",
    );
  }
  return readPolicy("The policy", policy);
}

/** The snapshots that are looked at: those that forget looks at, unless the flags say otherwise. */
function previewed(run: Run, { tag, host, "repo-wide": isWide }: PreviewFlags, policy: Policy): Scope {
  if (isWide) return scopeBy({ host: "", tag: "" });
  if (tag === undefined && host === undefined) {
    if (run.settings.env.RESTIC_TAG !== "") return readScope(run, policy);
    throw new ConfigError("RESTIC_TAG is empty. Give --tag, or --repo-wide to look at all snapshots.");
  }
  if ((tag !== undefined && policy.filters.tag) || (host !== undefined && policy.filters.host)) {
    throw new ConfigError(
      "The policy selects by --host or --tag itself, and restic would look at what matches either. Leave one of them out.",
    );
  }
  return scopeBy({ host: host ?? "", tag: tag ?? "" });
}

/** Whose groups are shown in full; undefined for those of all, where they were asked for. */
function ownFilter(run: Run, { tag, host, "repo-wide": isWide }: PreviewFlags, { filters }: Policy) {
  const isAskedFor = isWide || (tag ?? host) !== undefined || filters.tag || filters.host;
  return isAskedFor ? undefined : ownSnapshots(run);
}

function tellDifference({ log }: Run, given: PreviewFlags, shown: Scope, real: Scope): void {
  if (shown.words.join(" ") === real.words.join(" ")) return;
  const flag = given["repo-wide"] ? "--repo-wide" : shown.words.map(quoteWord).join(" ");
  const narrowed = filterText(real.filter);
  log.info(
    `Looked at by ${flag}: forget itself applies the policy to ${narrowed ? `snapshots ${narrowed}` : "all snapshots"}.`,
  );
}
