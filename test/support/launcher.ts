/**
 * Starts programs from a small parent, which reports of each its exit code, and the peak memory of it and of the
 * children that it waited for. For a child of Bun the system reports at least as much memory as Bun itself had.
 */

const PYTHON = `
import json, os, signal, subprocess, sys, threading, time
writing = threading.Lock()
def tell(**fact):
    with writing:
        print(json.dumps(fact), flush=True)
def live(order):
    out = open(order["out"], "wb")
    child = subprocess.Popen(order["argv"], env=os.environ | order["env"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    out.close()
    tell(id=order["id"], pid=child.pid)
    for ms, name in order["signals"]:
        time.sleep(ms / 1000)
        os.kill(child.pid, getattr(signal, name))  # not reaped yet: the pid is still its own
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    tell(id=order["id"], code=child.returncode, kib=usage.ru_maxrss)
for line in sys.stdin:
    threading.Thread(target=live, args=(json.loads(line),)).start()
`;

export interface Order {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where stdout and stderr go. */
  readonly out: string;
  /** Milliseconds to wait and the signal to send then, one after the other. */
  readonly signals?: readonly (readonly [ms: number, signal: string])[];
}

export interface LaunchEnd {
  readonly pid: number;
  /** The exit code, or the negative number of the signal that ended it. */
  readonly code: number;
  /** The peak memory of the program, or of one of its children. */
  readonly kib: number;
}

interface Fact {
  readonly id: number;
  readonly pid?: number;
  readonly code?: number;
  readonly kib?: number;
}

export class Launcher {
  private readonly waiting = new Map<number, (fact: Fact) => void>();
  private readonly python;
  private readonly reading: Promise<void>;
  private count = 0;

  constructor(env: Record<string, string | undefined>, cwd: string) {
    this.python = Bun.spawn(["python3", "-c", PYTHON], { env, cwd, stdin: "pipe", stdout: "pipe" });
    this.reading = this.read(this.python.stdout);
  }

  /** Resolves when the program has exited. `began` is called with its pid. */
  launch(order: Order, began: (pid: number) => void = () => {}): Promise<LaunchEnd> {
    const id = ++this.count;
    const { promise, resolve } = Promise.withResolvers<LaunchEnd>();
    let pid = 0;
    this.waiting.set(id, (fact) => {
      if (fact.pid !== undefined) {
        pid = fact.pid;
        began(pid);
        return;
      }
      this.waiting.delete(id);
      resolve({ pid, code: fact.code ?? 0, kib: fact.kib ?? 0 });
    });
    this.python.stdin.write(`${JSON.stringify({ signals: [], ...order, id })}\n`);
    this.python.stdin.flush();
    return promise;
  }

  /** Launches no more programs, and waits for the running ones. */
  async close(): Promise<void> {
    this.python.stdin.end();
    await this.reading;
    await this.python.exited;
  }

  private async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let held = "";
    for await (const bytes of stream) {
      const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) {
        const fact = JSON.parse(line) as Fact;
        this.waiting.get(fact.id)?.(fact);
      }
    }
  }
}
