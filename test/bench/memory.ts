/** The peak memory of a command. */

/**
 * In MiB; NaN without python3. What the system tells of a child that Bun has started is at least as much as Bun itself
 * had (the kernel counts a process from its fork on), so a smaller parent starts it: 10 MiB are the least to be seen.
 */
export function peakOf(command: readonly string[], env: Record<string, string | undefined>): number {
  if (Bun.which("python3") === null) return Number.NaN;
  const script =
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); " +
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
  const { stdout } = Bun.spawnSync(["python3", "-c", script, ...command], { env, stderr: "ignore" });
  return Number(stdout.toString().trim()) / 1024;
}
