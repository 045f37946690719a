/** `METRICS_DIR/restic_<worker>.prom`: whoever reads it finds the old one or the new one, whole. */

import { closeSync } from "node:fs";
import { readIfThere, replaceFile } from "../files.ts";
import { lockShortly } from "../process/flock.ts";
import { sweep } from "../process/litter.ts";
import type { RunRecord } from "../record.ts";
import {
  type MetricsState,
  metricsPrefix,
  renderMetrics,
  stateAfter,
  stateOf,
  withSkips,
} from "./metrics.ts";
import type { NotifyScene } from "./scene.ts";

/** Milliseconds that the lock is waited for: a run that ends and one that is skipped may meet, for an instant. */
const LOCK_MS = 1000;

/** Writes the metrics of one run: once before its post-hooks, which may want to push them, and once after. */
export class RunMetrics {
  private before: MetricsState | undefined;

  constructor(
    private readonly scene: NotifyScene,
    /** The run before this one was killed. */
    private readonly died: boolean,
  ) {}

  /** Throws what writing the file does. */
  async write(record: RunRecord, skips: () => number): Promise<void> {
    const path = metricsPath(this.scene);
    await locked(this.scene, () => {
      // The second time the file holds this run already: it must not be counted twice.
      this.before ??= stateOf(readIfThere(path) ?? "", record.job);
      replaceFile(path, renderMetrics(record, stateAfter(this.before, record, this.died), skips()));
    });
  }
}

/**
 * Throws what writing the file does. `skips` is asked under the lock: of many that are skipped at once, the last to
 * write must not be one that was counted early.
 */
export async function writeSkips(scene: NotifyScene, skips: () => number): Promise<void> {
  const { job } = scene.identity;
  const hostname = scene.mask(scene.identity.hostname).toWellFormed();
  const path = metricsPath(scene);
  await locked(scene, () => replaceFile(path, withSkips(readIfThere(path) ?? "", job, hostname, skips())));
}

export const metricsPath = ({ settings, identity }: NotifyScene): string =>
  `${settings.text("METRICS_DIR")}/${metricsPrefix(identity.job)}.prom`;

async function locked(scene: NotifyScene, action: () => void): Promise<void> {
  const { lockDir, identity, env } = scene;
  // A run or a skip that was killed may have left what it was writing.
  sweep(metricsPath(scene));
  let lock: number | undefined;
  try {
    lock = await lockShortly(`${lockDir}/${identity.job}.metrics.lock`, LOCK_MS, env);
  } catch {
    // No lock to be had here: two writers at the very same moment are rarer than a LOCK_DIR that takes no file.
  }
  try {
    action();
  } finally {
    if (lock !== undefined) closeSync(lock);
  }
}
