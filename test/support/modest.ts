/** A command whose user may not read what the modes of files forbid, which root otherwise may. */

const CAPABILITIES = "-dac_override,-dac_read_search";

export function modest(command: readonly string[]): string[] {
  if (process.getuid?.() !== 0) return [...command];
  return ["setpriv", `--bounding-set=${CAPABILITIES}`, `--inh-caps=${CAPABILITIES}`, ...command];
}
