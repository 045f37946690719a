/** Adds to the history. A failure is said, and changes nothing else. */

import { reasonOf } from "../errors.ts";
import { appendHistory, historyPath, trimHistory } from "./history.ts";
import type { Scene } from "./scene.ts";

export async function remember({ log, logDir, settings, env }: Scene, entry: object): Promise<void> {
  let before: number;
  try {
    before = await appendHistory(logDir, entry, env);
  } catch (error) {
    log.lost(historyPath(logDir), error);
    return;
  }
  try {
    await trimHistory(logDir, settings.count("HISTORY_MAX_RUNS"), env, before);
  } catch (error) {
    log.warn(`${historyPath(logDir)} could not be cut to HISTORY_MAX_RUNS: ${reasonOf(error)}. It grows on.`);
  }
}
