/** The peak memory of a command. */

type Env = Record<string, string | undefined>;

/**
 * What the system tells of a child that Bun has started is at least as much as Bun itself had (the kernel counts a
 * process from its fork on), so a smaller parent starts it: 10 MiB are the least to be seen.
 */
const SCRIPT =
  "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); " +
  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

const isMeasurable = Bun.which("python3") !== null;
const measured = (command: readonly string[]) => ["python3", "-c", SCRIPT, ...command];
const mebibytes = (printed: string) => Number(printed.trim()) / 1024;

/** In MiB; NaN without python3. */
export function peakOf(command: readonly string[], env: Env): number {
  if (!isMeasurable) return Number.NaN;
  return mebibytes(Bun.spawnSync(measured(command), { env, stderr: "ignore" }).stdout.toString());
}

/** The same, while other things are measured. */
export async function peakMeanwhile(command: readonly string[], env: Env): Promise<number> {
  if (!isMeasurable) return Number.NaN;
  const child = Bun.spawn(measured(command), { env, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  return mebibytes(await new Response(child.stdout).text());
}
