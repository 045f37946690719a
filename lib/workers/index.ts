/**
 * The table of commands. To add a worker: a row here, a file beside this one, a test; for a scheduled one also its
 * `…_CRON` in lib/config/variables.ts. Everything else follows from these: links, help, completion, hooks in doctor,
 * crontab, status, metrics, and the README's tables.
 */

import type { Command, Row } from "../run/command.ts";

/** A module's default export as the table sees it, whatever its flags are. Loaded when the command is called. */
const from = (load: () => Promise<{ default: unknown }>) => async () => (await load()).default as Command;

export const table: readonly Row[] = [
  {
    name: "backup",
    kind: "run",
    summary: "back up with restic, then forget by the retention policy",
    load: from(() => import("./backup.ts")),
  },
  {
    name: "check",
    kind: "run",
    summary: "check the repository with restic",
    load: from(() => import("./check.ts")),
  },
  {
    name: "prune",
    kind: "run",
    summary: "remove from the repository what no snapshot needs",
    load: from(() => import("./prune.ts")),
  },
  {
    name: "replicate",
    aliases: ["bisync"],
    kind: "run",
    summary: "synchronize pairs of folders with rclone: bisync, sync or copy",
    load: from(() => import("./replicate.ts")),
  },
  {
    name: "restore",
    kind: "run",
    summary: "restore a snapshot into a directory, by flags or asking on a terminal",
    load: from(() => import("./restore.ts")),
  },
  {
    name: "snapshot-export",
    kind: "run",
    summary: "write a snapshot, or part of one, into an archive file",
    load: from(() => import("./snapshot-export.ts")),
  },
  {
    name: "forget-preview",
    kind: "run",
    summary: "show what a retention policy would keep and remove, removing nothing",
    load: from(() => import("./forget-preview.ts")),
  },
  {
    name: "restore-test",
    kind: "run",
    summary: "prove that the bytes come back: restore, check, remove",
    load: from(() => import("./restore-test.ts")),
  },
  {
    name: "sources-report",
    kind: "run",
    summary: "report what the next backup would read: how much, what is missing, what is suspiciously empty",
    load: from(() => import("./sources-report.ts")),
  },
  {
    name: "notify-test",
    kind: "run",
    summary: "send a marked mail and webhook, to see that they arrive",
    load: from(() => import("./notify-test.ts")),
  },
  {
    name: "mount-snapshot",
    kind: "run",
    summary: "mount the repository's snapshots until a signal, then unmount them",
    load: from(() => import("./mount-snapshot.ts")),
  },
  {
    name: "forget",
    kind: "run",
    summary: "apply the retention policy to the repository",
    load: from(() => import("./forget.ts")),
  },
  {
    name: "unlock",
    kind: "run",
    summary: "list the repository's locks and remove the stale ones",
    load: from(() => import("./unlock.ts")),
  },
  {
    name: "init-repo",
    kind: "run",
    summary: "create the repository, after a probe and a typed confirmation",
    load: from(() => import("./init-repo.ts")),
  },
  {
    name: "locked_run",
    kind: "tool",
    summary: "run a command under a worker's lock, or skip it",
    load: from(() => import("./locked_run.ts")),
  },
  {
    name: "doctor",
    kind: "tool",
    summary: "report what is wrong with this container, changing nothing",
    load: from(() => import("./doctor.ts")),
  },
  {
    name: "entry",
    aliases: ["entry.sh"],
    kind: "tool",
    summary: "the container's first process: prepare everything, then have crond run the schedule",
    load: from(() => import("./entry.ts")),
  },
  {
    name: "status",
    aliases: ["health-summary"],
    kind: "tool",
    summary: "OK, WARN or FAIL from local files, fast; --history shows the last runs",
    load: from(() => import("./status.ts")),
  },
  {
    name: "cron-list",
    kind: "tool",
    summary: "show the schedule with the next times of each job",
    load: from(() => import("./cron-list.ts")),
  },
  {
    name: "rotate_log",
    kind: "tool",
    summary: "archive cron.log when it has grown too large",
    load: from(() => import("./rotate_log.ts")),
  },
  {
    name: "config-check",
    kind: "tool",
    summary: "check the environment's values; for init containers",
    load: from(() => import("./config-check.ts")),
  },
  {
    name: "env",
    kind: "tool",
    link: false,
    summary: "show every variable: its effective value, its default, and where the value comes from",
    load: from(() => import("./env.ts")),
  },
  {
    name: "find",
    kind: "tool",
    link: false,
    summary: "show in which snapshots a file is, the newest first",
    load: from(() => import("./find.ts")),
  },
  {
    name: "manual",
    kind: "tool",
    link: false,
    summary: "show a page of the manual; --search finds a word in all of them",
    load: from(() => import("./manual.ts")),
  },
  {
    name: "hook-test",
    kind: "tool",
    summary: "run the hooks of one phase as a worker would",
    load: from(() => import("./hook-test.ts")),
  },
];
