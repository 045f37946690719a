/** forget-preview: which snapshots a retention policy would keep, and which it would remove. Removes none. */

import { ConfigError, EXIT, UsageError } from "../errors.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import {
  decisionTable,
  filtersBy,
  isForgetGroup,
  keepsAnything,
  previewArgs,
  readDecisions,
} from "../restic/policy.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { filterOf, filterText } from "../restic/snapshots.ts";
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
    description: "only snapshots with this tag; RESTIC_TAG unless given",
  },
  host: {
    type: "string",
    valueHint: "HOST",
    description: "only snapshots of this host; HOSTNAME unless given",
  },
  "repo-wide": { type: "boolean", description: "all snapshots that the policy itself is about" },
} as const;

const facts = {
  policy: { type: "string", help: "the policy, as words for restic forget" },
  snapshots_kept: { type: "count", help: "snapshots that the policy keeps" },
  snapshots_to_remove: { type: "count", help: "snapshots that the policy removes" },
} as const satisfies Fields;

export default defineWorker({
  about:
    "Shows what a retention policy would do, snapshot by snapshot, and deletes nothing: restic gets --dry-run, and " +
    "--prune is taken out of the policy.",
  flags,
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_FORGET_ARGS", "RESTIC_TAG"],
  exits: [
    ["0", "restic has said what it would do"],
    ["1", "restic failed, for example because it does not understand the policy"],
    ...REPOSITORY_EXITS,
  ],
  check: ({ flags }) => checkFlags(flags),
  facts,
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
  const policy = policyOf(run, flags);
  const filter = flags["repo-wide"] ? { host: undefined, tag: undefined } : narrowing(run, flags, policy);
  const restic = new Restic(run);
  const scope = filterText({ host: filter.host ?? "", tag: filter.tag ?? "" });
  const shown = policy.map(quoteWord).join(" ");
  run.facts.policy = shown;
  run.log.info(
    `What ${shown} would make of ${scope ? `snapshots ${scope}` : "all snapshots"}. Nothing is deleted.`,
  );

  const decisions = readDecisions(
    await restic.ask(previewArgs(policy, filter), "what it would forget", isForgetGroup),
  );
  const removed = decisions.filter(({ reasons }) => reasons === undefined).length;
  const kept = decisions.length - removed;
  run.addFacts({ snapshots_kept: kept, snapshots_to_remove: removed });
  if (decisions.length === 0) {
    run.log.warn("restic names no snapshot: none matches, or the policy names single ones.");
    return { exitCode: EXIT.ok };
  }
  for (const line of decisionTable(decisions, localZone())) run.log.info(line);
  run.log.info(`Of ${plural(decisions.length, "snapshot")} ${kept} would be kept and ${removed} removed.`);
  return { exitCode: EXIT.ok };
}

/** Throws a ConfigError when there is none. */
function policyOf({ settings }: Run, given: PreviewFlags): string[] {
  const own = words("--policy", given.policy) ?? settings.words("RESTIC_FORGET_ARGS");
  const policy = [...own, ...(words("--extra", given.extra) ?? [])];
  if (keepsAnything(policy)) return policy;
  throw new ConfigError(
    policy.length === 0
      ? "There is no policy. Set RESTIC_FORGET_ARGS, or give --policy, for example --policy '--keep-daily 7'."
      : `The policy keeps nothing: ${policy.map(quoteWord).join(" ")}. Add what to keep, such as --keep-daily 7.`,
  );
}

/** The filter, but for what the policy filters by itself: restic would look at what matches either. */
function narrowing(run: Run, given: PreviewFlags, policy: readonly string[]) {
  const { settings } = run;
  if (given.tag === undefined && settings.env.RESTIC_TAG === "") {
    throw new ConfigError("RESTIC_TAG is empty. Give --tag, or --repo-wide to look at all snapshots.");
  }
  const { tag, host } = filterOf(given, run);
  return {
    tag: given.tag === undefined && filtersBy(policy, "--tag") ? undefined : tag,
    host: given.host === undefined && filtersBy(policy, "--host") ? undefined : host,
  };
}
