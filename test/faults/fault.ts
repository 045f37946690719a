/**
 * A row of the fault table: a fault is injected, and a promise must hold. Whatever the fault, afterwards no process is
 * left, every lock is free, every record and every line of the history can be read, and the next run is right.
 *
 *   fault({ injected: "restic exits by a signal", promised: "exit 137, recorded as failed" }, async (world) => {
 *     …
 *     return "exit 137, status failed"; // what was seen, after the expectations have held
 *   });
 */

import { afterAll, expect, test } from "bun:test";
import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";
import { waitForPeace } from "./peace.ts";

export interface Fault {
  /** How the fault is injected. */
  readonly injected: string;
  /** What the program promises in that case. */
  readonly promised: string;
  /** The worker whose next run must be right. */
  readonly worker?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

interface Row extends Fault {
  readonly seen: string;
}

const rows: Row[] = [];

export function fault(row: Fault, body: (world: World) => Promise<string>): void {
  const title = `${row.injected}: ${row.promised}`;
  test(
    title,
    async () => {
      using world = new World();
      world.restic();
      const seen = await body(world);
      await aftermath(world, row.worker ?? "backup");
      rows.push({ ...row, seen });
    },
    row.timeout ?? 60_000,
  );
}

afterAll(() => {
  const table = process.env.RBH_FAULT_TABLE;
  if (table === undefined) return;
  for (const { injected, promised, seen } of rows.splice(0)) {
    appendFileSync(table, `${[injected, promised, seen].join("\t")}\n`);
  }
});

/** What must hold after every fault. The fault itself is over: the next run meets ordinary surroundings. */
export async function aftermath(world: World, worker = "backup"): Promise<void> {
  await waitForPeace(world);
  expectWholeRecords(world);
  await expectRightRun(world, worker);
  expectWholeRecords(world);
  expect(world.processes()).toEqual([]);
}

/** Throws at the first that is no JSON; nothing half-written lies about either. */
function expectWholeRecords(world: World): void {
  const names = readdirSync(world.log);
  for (const name of names.filter((each) => /^last-.*\.json$/.test(each))) {
    const record = JSON.parse(world.read(`log/${name}`));
    expect(record).toHaveProperty("status");
  }
  world.history();
}

async function expectRightRun(world: World, worker: string): Promise<void> {
  world.restic();
  for (const name of readdirSync(world.hooks)) await world.exec(["rm", "-rf", join(world.hooks, name)]);
  const { code, stdout } = await world.run(worker);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`${worker} `) });
  expect(world.record(worker)).toMatchObject({ status: "ok", exit_code: 0 });
  expect(readdirSync(world.log).filter((name) => name.includes(".tmp"))).toEqual([]);
  expect(readdirSync(world.lock).filter((name) => name.endsWith(".run.json"))).toEqual([]);
}
