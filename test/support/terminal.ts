/**
 * Acts as a person at a terminal, by Python's pty module: waits for a text, answers, and so on until the end.
 *
 *   const { code, screen } = await converse(world, "restore", [], [["Which snapshot", "1\n"], ["Restore into", "q\n"]]);
 */

import type { World } from "./world.ts";

/** The text to wait for, then what to type: text, or a signal for the process. */
export type Step = readonly [until: string, answer: string | { readonly signal: NodeJS.Signals }];

export interface Conversation {
  readonly code: number;
  /** Everything that was shown, including the typed answers. */
  readonly screen: string;
  /** Steps whose text never appeared. */
  readonly unasked: readonly string[];
}

const DRIVER = `
import json, os, pty, select, signal, sys, time
plan = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(plan["command"][0], plan["command"], os.environ)
screen, seen, steps, end = b"", 0, plan["steps"], time.monotonic() + plan["seconds"]
while time.monotonic() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        screen += data
    if steps:
        at = screen.find(steps[0][0].encode(), seen)
        if at >= 0:
            seen = at + len(steps[0][0].encode())
            answer = steps.pop(0)[1]
            if isinstance(answer, dict):
                os.kill(pid, getattr(signal, answer["signal"]))
            else:
                os.write(fd, answer.encode())
else:
    os.kill(pid, signal.SIGKILL)
status = os.waitpid(pid, 0)[1]
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
print(json.dumps({"code": code, "screen": screen.decode("utf-8", "replace"), "unasked": [s[0] for s in steps]}))
`;

export const canConverse = Bun.which("python3") !== null;

export async function converse(
  world: World,
  name: string,
  args: readonly string[],
  steps: readonly Step[],
  env: Record<string, string | undefined> = {},
): Promise<Conversation> {
  const plan = JSON.stringify({ command: [world.link(name), ...args], steps, seconds: 40 });
  const { stdout, stderr } = await world.exec(["python3", "-c", DRIVER, plan], { env });
  if (stdout === "") throw new Error(`The terminal failed: ${stderr}`);
  return JSON.parse(stdout);
}
