/** Runs a command without root's privilege to read files whose modes forbid it. */

const CAPABILITIES = "-dac_override,-dac_read_search";

export function modest(command: readonly string[]): string[] {
  if (process.getuid?.() !== 0) return [...command];
  return ["setpriv", `--bounding-set=${CAPABILITIES}`, `--inh-caps=${CAPABILITIES}`, ...command];
}
