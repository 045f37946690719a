/** Completion scripts, made from the table: the names of the commands, and the flags of each. */

import type { Row } from "../run/command.ts";
import { PROGRAM } from "./help.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Is there a link of that name? If not, what the shell offers after it is another program's affair. */
  readonly linked: boolean;
  readonly flags: readonly (readonly [flag: string, help: string])[];
}

export async function completion(shell: Shell, table: readonly Row[]): Promise<string> {
  const entries = await Promise.all(table.map(entryOf));
  return { bash, zsh, fish }[shell](entries);
}

async function entryOf(row: Row): Promise<Entry> {
  const { flags } = await row.load();
  const own = Object.entries(flags).map(([name, flag]) => [name, flag.description ?? ""] as const);
  const { name, summary, link = true } = row;
  return { name, summary, linked: link, flags: [...own, ["help", "show this help"]] };
}

const names = (entries: readonly Entry[]) => entries.map(({ name }) => name).join(" ");
const linked = (entries: readonly Entry[]) => entries.filter((entry) => entry.linked);
const flagWords = ({ flags }: Entry) => flags.map(([name]) => `--${name}`).join(" ");
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bash(entries: readonly Entry[]): string {
  const cases = entries.map((entry) => `    ${entry.name}) words="${flagWords(entry)}" ;;`);
  return `# ${PROGRAM} completion bash > /etc/bash_completion.d/${PROGRAM}
_restic_backup_helper() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[0]##*/} words=
  if [ "$command" = ${PROGRAM} ]; then
    [ "$COMP_CWORD" -gt 1 ] && command=\${COMP_WORDS[1]} || words="${names(entries)} completion schema --list --install --version --help"
  fi
  [ -n "$words" ] || case $command in
${cases.join("\n")}
    completion) words="${SHELLS.join(" ")}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _restic_backup_helper ${PROGRAM} ${names(linked(entries))}
`;
}

function zsh(entries: readonly Entry[]): string {
  const commands = entries.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = entries.map((entry) => `    ${entry.name}) compadd -- ${flagWords(entry)} ;;`);
  return `#compdef ${PROGRAM} ${names(linked(entries))}
# ${PROGRAM} completion zsh > "\${fpath[1]}/_${PROGRAM}"
_restic_backup_helper() {
  local command=\${words[1]:t}
  local -a commands=(
${commands.join("\n")}
  )
  if [[ $command == ${PROGRAM} ]]; then
    (( CURRENT == 2 )) && { _describe command commands; return }
    command=\${words[2]}
  fi
  case $command in
${cases.join("\n")}
  esac
  _files
}
_restic_backup_helper "$@"
`;
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ name, summary, linked, flags }) => [
    `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...flags.flatMap(([flag, help]) => [
      `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}' -l ${flag} -d ${quoted(help)}`,
      ...(linked ? [`complete -c ${name} -l ${flag} -d ${quoted(help)}`] : []),
    ]),
  ]);
  return `# ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish\n${lines.join("\n")}\n`;
}
