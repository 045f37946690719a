// A disk that is full, broken, over quota or read-only, at each single call by which a run writes.
import { expect, test } from "bun:test";
import type { World } from "../support/world.ts";
import { forget, LOST, leftovers, prepare } from "./disk.ts";
import { fault } from "./fault.ts";
import { type Call, canInject, type Traced, traced, withFault } from "./syscalls.ts";

/** Where a run writes; `file` is looked for in the line of a call. */
interface Place {
  readonly name: string;
  readonly file: RegExp;
  /** The warning that stands once on stdout; undefined where nothing that matters is lost. */
  readonly said?: RegExp;
}

/** In LOCK_DIR all but the opening of a lock, without which there is no run. */
const LOCK_DIR = /^(?!openat.*\w\.lock", ).*\/lock\//;
const PLACES: readonly Place[] = [
  { name: "the log of the run", file: /-last\.log>?"?(?!\.\d)/, said: LOST },
  { name: "the record", file: /\/last-\w+\.json/, said: LOST },
  { name: "the history", file: /\/history\./, said: / WARN .*(cannot be written: |could not be cut )/g },
  { name: "the metrics", file: /\.prom/, said: / WARN .*no metrics file of this run: /g },
  { name: "the copy of a failure's log", file: /-error-last\.log\./, said: LOST },
  { name: "cron.log, which is its stdout", file: /\/cron\.log/ },
  { name: "its marker, pipe and name in LOCK_DIR", file: LOCK_DIR },
];
/** Calls whose failing loses nothing: what was to be written is written by then, or told by the next call. */
const HARMLESS = /^(close|unlink|ftruncate|fchmod)\(/;
/** What the run before has left is looked at, not written: where it cannot be read, nothing is known of it. */
const LOOKS = /O_RDONLY\|O_NONBLOCK/;

const PLAIN = { CODE: "0" };
/** A run that writes all that one may write: it fails, trims a full history, has metrics. */
const busy = (world: World) => ({ CODE: "1", HISTORY_MAX_RUNS: "2", METRICS_DIR: world.log });

const PROMISED =
  "work and hooks run, the exit code stands, nothing is half-written, one line says what is lost";
const noStrace = (title: string) => test.skip(`${title}: there is no strace to inject it`, () => {});

for (const [error, words] of [
  ["ENOSPC", "a full disk"],
  ["EIO", "a broken disk"],
  ["EDQUOT", "a used-up quota"],
  ["EROFS", "a disk gone read-only"],
] as const) {
  for (const place of PLACES) {
    const injected = `${error}, ${words}, at each call on ${place.name}`;
    if (!canInject) noStrace(injected);
    else fault({ injected, promised: PROMISED, timeout: 180_000 }, (world) => sweep(world, error, place));
  }
}

/** Makes each call of both kinds of run fail by itself, and looks after each. */
async function sweep(world: World, error: string, place: Place): Promise<string> {
  prepare(world);
  let [failing, said] = [0, 0];
  for (const env of error === "ENOSPC" || error === "EIO" ? [PLAIN, busy(world)] : [busy(world)]) {
    for (const call of await callsOn(world, place.file, env)) {
      const renew = () => forget(world);
      const run = await withFault(world, "backup", { call, how: `error=${error}` }, { env, renew });
      expectWhole(world, run, call, Number(env.CODE));
      if (place.said !== undefined && !HARMLESS.test(call.line) && !LOOKS.test(call.line)) {
        expect({ line: call.line, said: run.console.match(place.said) ?? [] }).toEqual({
          line: call.line,
          said: [expect.anything()],
        });
        said++;
      }
      failing++;
    }
  }
  expect(failing).toBeGreaterThan(0);
  return `${failing} failing calls: all ran each time, its own exit code, ${said} losses said`;
}

async function callsOn(world: World, file: RegExp, env: Record<string, string>): Promise<Call[]> {
  // What is made once is there, and the history is full and has been trimmed.
  for (let time = 0; time < 3; time++) await world.run("backup", [], { env });
  const { calls } = await traced(world, "backup", { env });
  return calls.filter(({ line }) => file.test(line));
}

function expectWhole(world: World, run: Traced, { line }: Call, code: number): void {
  const happened = world.read("happened");
  const bug = run.console.includes("This is a bug");
  expect({ line, code: run.code, happened, bug }).toEqual({
    line,
    code,
    happened: "pre\nwork\npost\n",
    bug: false,
  });
  expect(world.record()).toMatchObject({ exit_code: code });
  expect(world.history().length).toBeGreaterThan(0);
  expect({ line, left: leftovers(world) }).toEqual({ line, left: [] });
}

for (const worker of ["check", "prune", "forget", "replicate"]) {
  const injected = `ENOSPC at each call by which ${worker} writes`;
  if (!canInject) {
    noStrace(injected);
    continue;
  }
  fault({ injected, promised: PROMISED, worker }, async (world) => {
    world.program("rclone", "exit 0");
    world.file("replicate.txt", `${world.source};${world.folder("copy")};copy\n`);
    Object.assign(world.env, {
      REPLICATE_JOB_FILE: `${world.dir}/replicate.txt`,
      RESTIC_FORGET_ARGS: "--keep-last 3",
    });
    await world.run(worker);
    const { calls } = await traced(world, worker);
    const hit = calls.filter(({ line }) => !/^openat.*\w\.lock", /.test(line));
    for (const call of hit) {
      const run = await withFault(world, worker, { call, how: "error=ENOSPC" }, { renew: () => {} });
      expect({ line: call.line, code: run.code }).toEqual({ line: call.line, code: 0 });
      expect(world.record(worker)).toMatchObject({ status: "ok" });
      expect({ line: call.line, left: leftovers(world) }).toEqual({ line: call.line, left: [] });
    }
    return `${hit.length} failing calls: exit 0 each time, every record whole`;
  });
}

if (canInject) {
  fault(
    {
      injected: "ENOSPC, EIO, EROFS when the lock file is opened",
      promised: "exit 1, nothing is run without a lock, the record says why",
    },
    async (world) => {
      prepare(world);
      const opened = await callsOn(world, /^openat.*\/backup\.lock", /, PLAIN);
      for (const error of ["ENOSPC", "EIO", "EROFS"]) {
        for (const call of opened) {
          const how = `error=${error}`;
          const run = await withFault(world, "backup", { call, how }, { renew: () => forget(world) });
          expect({ code: run.code, happened: world.read("happened") }).toEqual({ code: 1, happened: "" });
          expect(world.record()).toMatchObject({
            exit_code: 1,
            error: expect.stringContaining("cannot be taken"),
          });
        }
      }
      return `exit 1, nothing run, "The lock … cannot be taken" in the record`;
    },
  );

  fault(
    {
      injected: "EINTR at each call by which a run writes",
      promised: "the call is made again, or one line says what is lost",
    },
    async (world) => {
      prepare(world);
      const calls = await callsOn(world, /./, PLAIN);
      const hit = calls.filter(({ line }) => !line.startsWith("close("));
      let again = 0;
      for (const call of hit) {
        const renew = () => forget(world);
        const run = await withFault(world, "backup", { call, how: "error=EINTR" }, { env: PLAIN, renew });
        expectWhole(world, run, call, 0);
        again += / WARN | ERROR /.test(run.console) ? 0 : 1;
      }
      expect(again).toBeGreaterThan(hit.length / 2);
      return `${hit.length} interrupted calls, every run whole, ${hit.length - again} losses said`;
    },
  );
} else noStrace("EINTR at each call");
