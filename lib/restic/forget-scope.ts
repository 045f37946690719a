/** RESTIC_FORGET_SCOPE: which snapshots a policy is applied to, all of the repository or those of this host and tag. */

import { ConfigError } from "../errors.ts";
import type { Run } from "../run/run.ts";
import type { Policy } from "./policy.ts";
import { type Filter, filterOf } from "./snapshots.ts";

/** Which snapshots a policy is applied to. */
export interface Scope {
  /** What it is narrowed to; "" for no bound. */
  readonly filter: Filter;
  /** The same as arguments of restic. */
  readonly words: readonly string[];
}

/** The snapshots that backup makes here. Throws a ConfigError for a tag that is empty. */
export function ownSnapshots(run: Run): Filter {
  const { settings } = run;
  if (settings.env.RESTIC_TAG === "") {
    throw new ConfigError("RESTIC_TAG is empty. Give it a tag, or unset it for the default, automated.");
  }
  return filterOf({ tag: undefined, host: hostIn(settings.words("RESTIC_JOB_ARGS")) }, run);
}

/** The host that arguments of `restic backup` give the snapshot. */
function hostIn(words: readonly string[]): string | undefined {
  const at = words.findLastIndex((word) => /^(--host(=|$)|-H)/.test(word));
  const word = words[at];
  return word === "--host" || word === "-H" ? words[at + 1] : word?.replace(/^(--host=|-H=?)/, "");
}

/**
 * The scope that RESTIC_FORGET_SCOPE gives a policy. Where the policy filters by itself, its filter counts: restic would
 * look at what matches either. Throws a ConfigError.
 */
export function readScope(run: Run, policy: Policy): Scope {
  if (forgetScope(run.settings.text("RESTIC_FORGET_SCOPE")) === "repository")
    return scopeBy({ host: "", tag: "" });
  const own = ownSnapshots(run);
  const { filters } = policy;
  return scopeBy({ host: filters.host ? "" : own.host, tag: filters.tag ? "" : own.tag });
}

export const scopeBy = (filter: Filter): Scope => ({
  filter,
  words: [
    ...(filter.host === "" ? [] : [`--host=${filter.host}`]),
    ...(filter.tag === "" ? [] : [`--tag=${filter.tag}`]),
  ],
});

/** What RESTIC_FORGET_SCOPE says. Throws a ConfigError: what is removed is not decided by a default. */
export function forgetScope(value: string): "repository" | "host" {
  const scope = value.trim().toLowerCase();
  if (scope === "repository" || scope === "host") return scope;
  throw new ConfigError(`RESTIC_FORGET_SCOPE=${value} is neither repository nor host. Give one of them.`);
}
