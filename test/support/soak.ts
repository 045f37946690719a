/** Random ticks of several workers, two at once, and a book of what was done to each. */

import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type LaunchEnd, Launcher } from "./launcher.ts";
import type { Random } from "./property.ts";
import { Book, type Natural } from "./soak-book.ts";
import { DOES, EXITS, HOOK, naturalOf, RESTIC } from "./soak-programs.ts";
import { alive, type World, waitFor } from "./world.ts";

const NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

type Signals = readonly (readonly [ms: number, signal: string])[];

interface Tick {
  readonly worker: string;
  readonly argv: readonly string[];
  /** Under locked_run, which calls a skip a success. */
  readonly isLocked: boolean;
  readonly env: Record<string, string>;
  readonly hasHooks: boolean;
  readonly natural: Natural;
  readonly signals: Signals;
}

interface Done extends LaunchEnd {
  readonly tick: Tick;
  readonly out: string;
  /** What its hooks and its restic have recorded. */
  readonly notes: readonly string[];
}

export class Soak {
  readonly book: Book;
  ticks = 0;
  peakKib = 0;
  killed = 0;
  interrupted = 0;
  private readonly launcher: Launcher;
  private readonly folder: string;

  constructor(
    private readonly world: World,
    private readonly lanes: readonly (readonly string[])[],
    env: Record<string, string>,
  ) {
    this.book = new Book(world);
    const workers = lanes.flat();
    for (const name of [...workers, "locked_run"]) world.link(name);
    world.restic(RESTIC);
    const hook = world.hook("soak", HOOK);
    mkdirSync(`${world.dir}/hooks/all`);
    for (const worker of workers) {
      for (const when of ["pre", "post"]) symlinkSync(hook, `${world.dir}/hooks/all/${when}-${worker}.sh`);
    }
    world.folder("hooks/none");
    this.folder = world.folder("notes");
    const metrics = { METRICS_DIR: world.folder("metrics") };
    this.launcher = new Launcher({ ...world.env, ...metrics, STOP_TIMEOUT: "2", ...env }, world.dir);
  }

  /** Runs this many ticks, and a few more. The last one of each worker is undisturbed, so that its state is certain. */
  async run(count: number, randomOf: (lane: number) => Random): Promise<void> {
    const live = async (workers: readonly string[], lane: number) => {
      const random = randomOf(lane);
      while (this.ticks < count) await this.scene(random, random.pick(workers));
      for (const worker of workers) await this.alone(this.plan(random, worker));
    };
    await Promise.all(this.lanes.map(live));
    await this.launcher.close();
  }

  private async scene(random: Random, worker: string): Promise<void> {
    const share = random.int(1, 100);
    if (share <= 3) await this.contention(random, worker);
    else if (share <= 6) await this.twoAtOnce(random, worker);
    else await this.alone(this.plan(random, worker, share <= 20 ? signalsOf(random) : []));
  }

  /** One tick without another at the same time, which exits by itself or is killed at a random moment. */
  private async alone(tick: Tick): Promise<void> {
    if (await this.settle(await this.launch(tick), true)) this.book.checkMetrics(tick.worker);
  }

  /** A run stands at its work: others are skipped, also after it was killed, as long as its restic goes on. */
  private async contention(random: Random, worker: string): Promise<void> {
    const holder = this.plan(random, worker, [], "gate");
    const running = this.launch(holder);
    const resticOf = () => /^restic (\d+)$/m.exec(this.notesOf(holder).join("\n"))?.[1];
    const restic = Number(await waitFor(resticOf, "the restic of a holder"));
    // It has its lock, and so it has forgotten the skips before it.
    this.book.of(worker).skips = 0;
    const isKilled = random.chance(0.4);
    const kill = () => process.kill(this.pidOf(holder), "SIGKILL");
    if (isKilled) kill();
    if (isKilled) await running;
    for (let left = random.int(1, 3); left > 0; left--) {
      await this.settleSkip(await this.launch(this.plan(random, worker)));
    }
    if (isKilled) process.kill(restic, "SIGKILL");
    else writeFileSync(`${this.notesPath(holder)}.open`, "");
    await this.settle(await running, false);
  }

  /** Of two that start together one runs and one is skipped; or one comes late enough to run after the other. */
  private async twoAtOnce(random: Random, worker: string): Promise<void> {
    if (this.book.of(worker).skips > 0) await this.alone(this.plan(random, worker));
    const plans = [this.plan(random, worker, [], "slow"), this.plan(random, worker, [], "slow")];
    const both = await Promise.all(plans.map((each) => this.launch(each)));
    const [skips, runs] = [both.filter(isSkip), both.filter((each) => !isSkip(each))];
    expect(runs.length).toBeGreaterThan(0);
    // The one that began first told of a death, if there was one.
    for (const each of runs.sort((a, b) => Number(!hasTold(a)) - Number(!hasTold(b))))
      await this.settle(each, runs.length === 1);
    for (const each of skips) await this.settleSkip(each);
  }

  /** `fixed`: what restic does, when it is not chosen at random. */
  private plan(random: Random, worker: string, signals: Signals = [], fixed?: string): Tick {
    const rare = random.int(1, 200);
    const hangs = fixed === undefined && signals.length === 0 && rare === 1;
    const does = hangs ? "hang" : (fixed ?? random.pick(EXITS));
    const hook = () => (rare === 2 || rare === 3 ? "hang" : random.pick(DOES));
    const hasHooks = random.chance(0.7);
    // A worker that is killed under a shell lives on: nobody would know what to write into the book.
    const mayDie = signals.length > 0 || fixed === "gate";
    const how = random.pick(mayDie ? ["direct", "locked"] : ["direct", "locked", "locked", "shell"]);
    const notes = `${this.folder}/${++this.ticks}`;
    return {
      worker,
      argv: {
        direct: [worker],
        locked: ["locked_run", worker, worker],
        shell: ["locked_run", worker, "sh", "-c", worker],
      }[how] ?? [worker],
      isLocked: how !== "direct",
      hasHooks,
      signals,
      natural: naturalOf(worker, does),
      env: {
        SOAK_NOTES: notes,
        SOAK_RESTIC: does,
        SOAK_PRE: hook(),
        SOAK_POST: hook(),
        HOOKS_DIR: `${this.world.dir}/hooks/${hasHooks ? "all" : "none"}`,
        HOOK_TIMEOUT: rare <= 3 ? "1" : "0",
        ...(does === "hang" ? { [`${worker.toUpperCase()}_TIMEOUT`]: "1" } : {}),
      },
    };
  }

  private async launch(tick: Tick): Promise<Done> {
    const out = `${this.notesPath(tick)}.out`;
    const { argv, env, signals } = tick;
    const ended = await this.launcher.launch({ argv, env, out, signals }, (pid) => this.pids.set(tick, pid));
    this.pids.delete(tick);
    this.peakKib = Math.max(this.peakKib, ended.kib);
    const done = { ...ended, tick, out: readFileSync(out, "utf8"), notes: this.notesOf(tick) };
    expect({ out: done.out, leaks: done.notes.filter((note) => note.startsWith("leak")) }).toEqual({
      out: done.out,
      leaks: [],
    });
    this.expectNoLockIn(done);
    rmSync(out);
    return done;
  }

  /** Writes into the book how a run has ended; false when it was killed, and its end is not told by itself. */
  private async settle(done: Done, isAlone: boolean): Promise<boolean> {
    const { tick, code, pid, out, notes } = done;
    const { worker, natural, signals, hasHooks } = tick;
    const ended = /finished: (\w+), exit (\d+)/.exec(out);
    if (code < 0) {
      expect({ out, code, sent: [...signals.map(([, name]) => -(NUMBERS[name] ?? 0)), -9] }).toMatchObject({
        sent: expect.arrayContaining([code]),
      });
      await this.endAll(tick);
      this.book.noteKill(worker, pid, [natural, ...signals.map(([, name]) => interruptedBy(name))]);
      this.killed++;
      return false;
    }
    const runId = /started \(run (\S+),/.exec(out)?.[1] ?? "no run";
    const said = { code: Number(ended?.[2]), status: ended?.[1] ?? "" };
    const possible = [natural, ...signals.map(([, name]) => interruptedBy(name))];
    expect({ out, code, possible }).toEqual({
      out,
      code: said.code,
      possible: expect.arrayContaining([said]),
    });
    if (said.status === "interrupted") this.interrupted++;
    if (hasHooks && signals.length === 0) {
      const hooks = notes.filter((note) => /^(pre|post)-/.test(note)).map((note) => note.trim());
      // A run that died after its pre-hooks owes its post-hooks: they are run first.
      const owed = /died after its pre-hooks/.test(out) ? [`post-${worker} 137`] : [];
      expect({ out, hooks }).toEqual({ out, hooks: [...owed, `pre-${worker}`, `post-${worker} ${code}`] });
    }
    this.book.noteRun(worker, runId, said, out, isAlone);
    return true;
  }

  private async settleSkip(done: Done): Promise<void> {
    const { tick, code, pid, out, notes } = done;
    expect({ out, code, notes }).toEqual({ out, code: tick.isLocked ? 0 : 75, notes: [] });
    this.book.noteSkip(tick.worker, pid, out);
  }

  /** What a killed tick has started is ended with it, so that the next one finds its lock free. */
  private async endAll(tick: Tick): Promise<void> {
    const mark = `SOAK_NOTES=${this.notesPath(tick)}\0`;
    const left = () => {
      const pids = readdirSync("/proc").filter(
        (name) => /^\d+$/.test(name) && environOf(name).includes(mark),
      );
      for (const pid of pids) if (alive(Number(pid))) process.kill(Number(pid), "SIGKILL");
      return pids.filter((pid) => alive(Number(pid))).length;
    };
    await waitFor(() => left() === 0, "the end of what a killed tick had started");
  }

  /** A daemon that a hook has left holds none of our files. */
  private expectNoLockIn({ notes }: Done): void {
    for (const note of notes.filter((each) => each.startsWith("daemon "))) {
      const folder = `/proc/${note.split(" ")[1]}/fd`;
      if (!existsSync(folder)) continue;
      const held = readdirSync(folder).map((fd) => linkAt(`${folder}/${fd}`));
      expect(held.filter((path) => path.startsWith(this.world.lock) && !path.endsWith(".pipe"))).toEqual([]);
    }
  }

  private readonly pids = new Map<Tick, number>();
  private readonly pidOf = (tick: Tick): number => this.pids.get(tick) ?? Number.NaN;
  private readonly notesPath = (tick: Tick): string => tick.env.SOAK_NOTES ?? "";

  private notesOf(tick: Tick): string[] {
    const path = this.notesPath(tick);
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
  }
}

const isSkip = ({ out }: Done): boolean => out.includes(" skipped: previous run still active");
const hasTold = ({ out }: Done): boolean => out.includes("died without a record");
const interruptedBy = (signal: string): Natural => ({
  code: 128 + (NUMBERS[signal] ?? 0),
  status: "interrupted",
});

/** A kill at a random moment of a tick's life, now and then followed by another. */
function signalsOf(random: Random): Signals {
  const first = random.pick(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL", "SIGKILL", "SIGKILL"]);
  const one = [random.int(0, 9) + random.int(0, random.pick([15, 50])), first] as const;
  return random.chance(0.15) ? [one, [random.int(0, 10), random.pick(["SIGTERM", "SIGKILL"])]] : [one];
}

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // It has exited meanwhile.
    return "";
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It has exited meanwhile.
    return "";
  }
}
