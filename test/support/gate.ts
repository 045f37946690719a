/** A gate in a world, at which a hook or a fake restic waits until the test lets it pass. */

import { existsSync, rmSync } from "node:fs";
import { type World, waitFor } from "./world.ts";

export class Gate {
  private readonly reachedPath: string;
  private readonly openPath: string;

  constructor(
    private readonly world: World,
    private readonly name = "gate",
  ) {
    this.reachedPath = `${world.dir}/${name}.reached`;
    this.openPath = `${world.dir}/${name}.open`;
  }

  /** Shell code that announces its arrival and waits; the file contains the pid. */
  get here(): string {
    return `echo $$ >'${this.reachedPath}'; while [ ! -e '${this.openPath}' ]; do sleep 0.02; done`;
  }

  /** Waits until a process has arrived at the gate; resolves to its pid. */
  async reached(): Promise<number> {
    await waitFor(() => existsSync(this.reachedPath), `somebody at ${this.name}`);
    return waitFor(() => Number(this.world.read(`${this.name}.reached`)), `the pid at ${this.name}`);
  }

  open(): void {
    this.world.file(`${this.name}.open`, "");
  }

  /** Resets the gate to its initial state. */
  reset(): void {
    for (const path of [this.reachedPath, this.openPath]) rmSync(path, { force: true });
  }
}
