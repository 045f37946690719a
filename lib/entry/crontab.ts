/** Writes the crontab. */

import { mkdirSync } from "node:fs";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { replaceFile } from "../files.ts";
import { crontabPath } from "../schedule.ts";
import type { Start } from "./scene.ts";

/** Atomically, readable by its owner only: crond must never see half of it. Throws a Failure. */
export function writeCrontab({ log, settings }: Start, text: string): void {
  const path = crontabPath(settings);
  try {
    mkdirSync(settings.text("CRONTAB_DIR"), { recursive: true });
    replaceFile(path, text, { mode: 0o600 });
  } catch (error) {
    throw new Failure(
      `The crontab ${path} cannot be written: ${reasonOf(error)}. Mount a tmpfs there, or set CRONTAB_DIR to a ` +
        "folder that the running user can write.",
      EXIT.failed,
    );
  }
  log.info(`${path}:`);
  for (const line of text.trimEnd().split("\n")) log.info(`  ${line}`);
}
