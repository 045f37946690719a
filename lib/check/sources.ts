/** What is backed up, and the files that the workers read. */

import { repositoryOf } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { readIfThere } from "../files.ts";
import { type Check, fail, ok, unreadable, warn } from "./check.ts";

export function checkTag(settings: Settings): Check {
  const tag = settings.env.RESTIC_TAG ?? settings.text("RESTIC_TAG");
  return tag.trim() === ""
    ? fail("RESTIC_TAG", "is empty. Give it a tag, or unset it for the default, automated.")
    : ok("RESTIC_TAG", tag);
}

/** BACKUP_ROOT_DIR, path by path; RESTIC_JOB_ARGS may name others. */
export function checkPaths(settings: Settings): Check[] {
  const key = "BACKUP_PATHS";
  const roots = settings.lines("BACKUP_ROOT_DIR");
  if (roots.length > 0) {
    return roots.map((path) => {
      const reason = unreadable(path);
      return reason === undefined
        ? ok(key, path)
        : fail(key, `${path} cannot be read: ${reason}. Mount it, or correct BACKUP_ROOT_DIR.`);
    });
  }
  return settings.env.RESTIC_JOB_ARGS?.trim()
    ? [ok(key, "what RESTIC_JOB_ARGS names")]
    : [fail(key, "There is nothing to back up. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS with --files-from.")];
}

export function checkRclone(settings: Settings): Check {
  const key = "RCLONE_CONFIG";
  const path = settings.text(key);
  const reason = unreadable(path);
  if (reason === undefined) return ok(key, path);
  const user = usesRclone(settings);
  return user === undefined
    ? ok(key, `${path} is not there, and nothing needs it`)
    : fail(key, `${path} cannot be read: ${reason}; ${user} needs it. Mount it, or correct the path.`);
}

function usesRclone(settings: Settings): string | undefined {
  if (settings.text("REPLICATE_CRON") !== "") return "replicate";
  try {
    return repositoryOf(settings).startsWith("rclone:") ? "the repository" : undefined;
  } catch (error) {
    // Which repository is meant cannot be told; that has a check of its own.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

export function checkReplicate(settings: Settings): Check {
  const key = "REPLICATE_JOB_FILE";
  const path = settings.text(key);
  const isScheduled = settings.text("REPLICATE_CRON") !== "";
  const reason = unreadable(path);
  if (reason !== undefined) {
    return isScheduled
      ? fail(key, `${path} cannot be read: ${reason}; REPLICATE_CRON is set. Mount it, or correct the path.`)
      : ok(key, `${path} is not there, and REPLICATE_CRON is not set`);
  }
  const rows = (readIfThere(path) ?? "").split("\n").filter((line) => /^\s*[^#\s]/.test(line));
  if (rows.length > 0) return ok(key, `${path}, ${rows.length} ${rows.length === 1 ? "row" : "rows"}`);
  const message = `${path} names nothing to replicate: every line is blank or a comment.`;
  return isScheduled ? fail(key, message) : warn(key, message);
}

export function checkCacert(settings: Settings): Check {
  const key = "RESTIC_CACERT";
  const path = settings.text(key);
  if (path === "") return ok(key, "not set");
  const reason = unreadable(path);
  if (reason === undefined) return ok(key, path);
  return warn(key, `${path} cannot be read: ${reason}. restic is called without --cacert.`);
}
