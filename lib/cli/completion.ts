/** Completion scripts, made from the table of commands: their names, and the flags of each. */

import { PROGRAM } from "../environment.ts";
import type { Row } from "../run/command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Completed {
  readonly name: string;
  readonly summary: string;
  /** Is there a link of that name? If not, the name on its own may be another program's: it is not completed. */
  readonly linked: boolean;
  readonly flags: readonly (readonly [flag: string, help: string])[];
}

export async function completion(shell: Shell, table: readonly Row[]): Promise<string> {
  const commands = await Promise.all(table.map(loadCompleted));
  return { bash, zsh, fish }[shell](commands);
}

async function loadCompleted(row: Row): Promise<Completed> {
  const declared = Object.entries((await row.load()).flags);
  const flags = declared.map(([name, flag]) => [name, flag.description ?? ""] as const);
  const { name, summary, link = true } = row;
  return { name, summary, linked: link, flags: [...flags, ["help", "show this help"]] };
}

const names = (commands: readonly Completed[]) => commands.map(({ name }) => name).join(" ");
const linked = (commands: readonly Completed[]) => commands.filter((command) => command.linked);
const flagWords = ({ flags }: Completed) => flags.map(([name]) => `--${name}`).join(" ");
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly Completed[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${flagWords(command)}" ;;`);
  return `# ${PROGRAM} completion bash > /etc/bash_completion.d/${PROGRAM}
_restic_backup_helper() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[0]##*/} words=
  if [ "$command" = ${PROGRAM} ]; then
    [ "$COMP_CWORD" -gt 1 ] && command=\${COMP_WORDS[1]} || words="${names(commands)} completion schema --list --install --version --help"
  fi
  [ -n "$words" ] || case $command in
${cases.join("\n")}
    completion) words="${SHELLS.join(" ")}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _restic_backup_helper ${PROGRAM} ${names(linked(commands))}
`;
}

function zsh(commands: readonly Completed[]): string {
  const descriptions = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map((command) => `    ${command.name}) compadd -- ${flagWords(command)} ;;`);
  return `#compdef ${PROGRAM} ${names(linked(commands))}
# ${PROGRAM} completion zsh > "\${fpath[1]}/_${PROGRAM}"
_restic_backup_helper() {
  local command=\${words[1]:t}
  local -a commands=(
${descriptions.join("\n")}
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

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, linked, flags }) => [
    `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...flags.flatMap(([flag, help]) => [
      `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}' -l ${flag} -d ${quoted(help)}`,
      ...(linked ? [`complete -c ${name} -l ${flag} -d ${quoted(help)}`] : []),
    ]),
  ]);
  return `# ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish\n${lines.join("\n")}\n`;
}
