/** Runs a command on a terminal of its own (python3's pty module) and returns every byte that it wrote there. */

import type { World } from "./world.ts";

export const hasPython = Bun.which("python3") !== null;

/** Types its stdin on the terminal, writes what the terminal shows to stdout, and exits as the command does. */
const SCRIPT = `
import fcntl, os, pty, select, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
sources = [fd, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        typed = os.read(0, 1024)
        if typed: os.write(fd, typed)
        else: sources.remove(0)
    if fd in ready:
        try: shown = os.read(fd, 65536)
        except OSError: shown = b""
        if not shown: break
        os.write(1, shown)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;

export interface TerminalOptions {
  readonly env?: Record<string, string | undefined>;
  readonly rows?: number;
  readonly columns?: number;
}

/** Starts the command; what is written to the returned stdin is typed on the terminal. */
export function onTerminal(world: World, command: readonly string[], options: TerminalOptions = {}) {
  const { env = {}, rows = 24, columns = 80 } = options;
  return Bun.spawn(["python3", "-c", SCRIPT, String(rows), String(columns), ...command], {
    env: { ...world.env, TERM: "xterm-256color", ...env },
    cwd: world.dir,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 50_000,
    killSignal: "SIGKILL",
  });
}

/** Clears the terminal's current line before its new state is drawn. */
export const WIPE = "\r\x1b[K";

/** The last visible content of each line, provided that no line was too long for the terminal. */
export function screen(shown: string): string[] {
  return shown.split(/\r?\n/).map((line) => line.split(WIPE).at(-1) ?? "");
}
