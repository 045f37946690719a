/**
 * mount-snapshot: `restic mount` until a signal or an unmount from outside, and nothing mounted afterwards.
 *
 * A signal is the normal end of a mount, as it is for a server: the exit code is then 0 and the status ok, so that an
 * operator's Ctrl-C raises no alarm. A signal before anything is mounted, or a second one, interrupts it like any other
 * run.
 */

import { EXIT, UsageError } from "../errors.ts";
import { demandPrerequisites, makeFolder, mountTarget } from "../mount/mountpoint.ts";
import { appears, release, serveFacts, tellWhereToLook, type Unmounted } from "../mount/serve.ts";
import { REPOSITORY_EXITS, RESTIC } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { type Filter, filterOf, filterText, snapshotFlags } from "../restic/snapshots.ts";
import type { Flags, FlagValues } from "../run/command.ts";
import { exitOfStopped, type Outcome, type Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { plural } from "../text.ts";

const DEFAULT_TARGET = "/fusemount";

const flags = {
  target: { type: "string", valueHint: "DIR", description: `where to mount (default ${DEFAULT_TARGET})` },
  tag: snapshotFlags.tag,
  host: snapshotFlags.host,
  path: {
    type: "string",
    multiple: true,
    description: "only snapshots that hold this absolute path; may be given again",
  },
  "repo-wide": { type: "boolean", description: "snapshots of any host and tag" },
  "allow-other": { type: "boolean", description: "let other users look into the mount too" },
  force: { type: "boolean", description: "mount over a directory that is not empty" },
} as const satisfies Flags;

const facts = {
  target: { type: "string", help: "where it was mounted" },
  host: { type: "string", help: "only snapshots of this host; of any host when empty" },
  tag: { type: "string", help: "only snapshots with this tag; with any tag when empty" },
  paths: { type: "strings", help: "only snapshots that hold each of these" },
  path_filters: { type: "string", help: "the same as paths, separated by blanks" },
  tag_filter: { type: "string", help: "the same as tag" },
  host_filter: { type: "string", help: "the same as host" },
  repo_wide: { type: "switch", help: "--repo-wide was given" },
  allow_other: { type: "switch", help: "--allow-other was given" },
  mounted: { type: "switch", help: "the mount was there" },
  ended_by: { type: "string", help: "what ended the mount: a signal, or unmount" },
  ...serveFacts,
} as const satisfies Fields;

type MountRun = Run<FactsOf<typeof facts>>;

export default defineWorker({
  about:
    "Mounts the snapshots of the repository read-only and says where to look. It exits on SIGINT (Ctrl-C), SIGTERM " +
    "or SIGHUP, or when somebody unmounts it; whatever ends it, nothing is still mounted when the post-hook " +
    "runs. While it is mounted, restic's lock keeps prune out of the repository.",
  flags,
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_TAG", "BACKUP_ROOT_DIR", "TMPDIR"],
  exits: [
    ["0", "it was mounted until a signal or an unmount from outside ended it"],
    ["1", "restic failed, or the mount could not be removed"],
    ...REPOSITORY_EXITS,
    ["137", "restic was killed; its mount was removed"],
  ],
  check: (invocation) => checkFlags(invocation.flags),
  facts,
  subject: ({ target, snapshots }) =>
    target === undefined
      ? undefined
      : [snapshots === undefined ? undefined : plural(snapshots, "snapshot"), `→ ${target}`]
          .filter(Boolean)
          .join(" "),
  work: (run, invocation) => work(run, invocation.flags),
});

type MountFlags = FlagValues<typeof flags>;

function checkFlags(given: MountFlags): void {
  if (given.target === "") throw new UsageError("--target is empty; name a directory.");
  const relative = given.path.find((path) => !path.startsWith("/"));
  if (relative !== undefined) throw new UsageError(`--path ${relative} is not absolute; begin it with /.`);
  if (given["repo-wide"] && (given.host || given.tag)) {
    throw new UsageError("--repo-wide takes snapshots of any host and tag; leave out --host and --tag.");
  }
}

async function work(run: MountRun, given: MountFlags): Promise<Outcome> {
  const filter = given["repo-wide"] ? { host: "", tag: "" } : filterOf(given, run);
  const paths = given.path;
  const which = ["snapshots", filterText(filter), ...paths.map((path) => `holding ${path}`)]
    .filter(Boolean)
    .join(" ");
  const restic = new Restic(run, { canReadUnlocked: true });
  const place = await mountTarget(run, given.target ?? DEFAULT_TARGET, given.force);
  const allowOther = given["allow-other"];
  demandPrerequisites(run, allowOther);
  run.addFacts({
    target: place,
    ...filter,
    paths,
    path_filters: paths.join(" "),
    tag_filter: filter.tag,
    host_filter: filter.host,
    repo_wide: given["repo-wide"] ? "ON" : "OFF",
    allow_other: allowOther ? "ON" : "OFF",
    mounted: "OFF",
  });
  run.log.info(`Mounting the ${which} from ${restic.shown} at ${place}.`);

  const removeFolder = makeFolder(run, place);
  let ended = false;
  const watch = async (serving: Promise<unknown>) => {
    if (!(await appears(place, () => ended))) return;
    run.facts.mounted = "ON";
    await tellWhereToLook(run, place, which, serving);
  };
  let exitCode: number = EXIT.failed;
  let left: Unmounted;
  try {
    const serving = restic
      // The filter is said in full: restic must not add a host of its own.
      .call(mountArgs({ target: place, filter, paths, allowOther }), { env: { RESTIC_HOST: undefined } })
      // A stop is how a mount is meant to end.
      .catch(exitOfStopped)
      .finally(() => {
        ended = true;
      });
    [{ exitCode }] = await Promise.all([serving, watch(serving)]);
  } finally {
    left = await release(run, place);
    if (left.how !== "failed") removeFolder();
  }
  return conclude(run, restic, exitCode, left);
}

async function conclude(run: MountRun, restic: Restic, exitCode: number, left: Unmounted): Promise<Outcome> {
  const { log, stop, facts } = run;
  const isKilled = exitCode === RESTIC.killed;
  const status = left.how === "lazy" || isKilled ? "warning" : "ok";
  if (facts.mounted === "ON" && stop.signal !== undefined) {
    facts.ended_by = stop.signal;
    if (isKilled)
      log.warn("restic had to be killed; its lock is still in the repository: run unlock to remove it.");
    if (left.how === "failed") return { exitCode: EXIT.failed, endedByStop: true };
    log.info(`${stop.signal} ended the mount; nothing is mounted any more.`);
    return { exitCode: EXIT.ok, status, endedByStop: true };
  }
  run.throwIfStopping(exitCode);
  if (exitCode !== EXIT.ok) {
    await restic.afterFailure("mount", exitCode);
    return { exitCode };
  }
  if (left.how === "failed") return { exitCode: EXIT.failed };
  facts.ended_by = "unmount";
  log.info("Unmounted from outside; nothing is mounted any more.");
  return { exitCode, status };
}

export interface MountWords {
  readonly target: string;
  readonly filter: Filter;
  readonly paths: readonly string[];
  readonly allowOther: boolean;
}

export function mountArgs({ target, filter, paths, allowOther }: MountWords): string[] {
  return [
    "mount",
    ...(allowOther ? ["--allow-other"] : []),
    ...(filter.host === "" ? [] : ["--host", filter.host]),
    ...(filter.tag === "" ? [] : ["--tag", filter.tag]),
    ...paths.flatMap((path) => ["--path", path]),
    "--",
    target,
  ];
}
