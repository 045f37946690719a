/** manual: the pages of the manual that this binary holds. */

import { environment, PROGRAM } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { isTerminal, print } from "../log/stdout.ts";
import { pageText, searchPage, TOPICS, type Topic, titleOf } from "../manual/index.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { foreground } from "../process/foreground.ts";
import type { Command, Invocation } from "../run/command.ts";

const flags = {
  search: { type: "string", valueHint: "WORD", description: "show the lines of all pages that hold WORD" },
} as const;

const command: Command<typeof flags> = {
  about:
    "Shows a page of the manual; without a topic, which pages there are. On a terminal the page goes through $PAGER, " +
    "or less where that is installed.",
  flags,
  operands: { usage: "[<topic>]", help: `one of ${TOPICS.join(", ")}`, least: 0, most: 1 },
  environment: [],
  exits: [
    ["0", "the page is shown, or WORD was found"],
    ["1", "no page holds WORD"],
    ["2", "the command line is wrong, or there is no such page"],
  ],
  main,
};
export default command;

async function main({ flags: { search }, operands: [word] }: Invocation<typeof flags>): Promise<number> {
  if (search !== undefined) {
    if (word !== undefined)
      throw new UsageError(`"${word}" is not expected beside --search, which looks into all pages.`);
    if (search.trim() === "") throw new UsageError("--search needs a word to look for.");
    return showHits(search);
  }
  if (word === undefined) {
    const lines = await Promise.all(
      TOPICS.map(async (topic) => `${topic.padEnd(20)}${titleOf(await pageText(topic))}`),
    );
    print(
      `${lines.join("\n")}\n\n${PROGRAM} manual <topic> shows a page, manual --search WORD what holds a word.\n`,
    );
    return EXIT.ok;
  }
  const topic = TOPICS.find((each) => each === word.toLowerCase());
  if (topic === undefined) {
    const near = nearest(word, TOPICS);
    throw new UsageError(
      `The manual has no page ${word}${didYouMean(near)} The pages are ${TOPICS.join(", ")}.`,
    );
  }
  return showPage(topic);
}

/** The pager starts us again, with its pipe for our stdout. PAGER may have words; LESS is ignored by busybox's less. */
const PAGED = `[ -n "$PAGER" ] || { command -v less >/dev/null && PAGER=less || PAGER=cat; }
export LESS="\${LESS:-FRX}"
"$1" manual "$2" | $PAGER`;

async function showPage(topic: Topic): Promise<number> {
  // Started by its sources, the runtime is another program.
  if (isTerminal(1) && process.execPath.endsWith(PROGRAM))
    return foreground(["/bin/sh", "-c", PAGED, "sh", process.execPath, topic], { env: environment });
  print(await pageText(topic));
  return EXIT.ok;
}

async function showHits(word: string): Promise<number> {
  let count = 0;
  for (const topic of TOPICS) {
    for (const { heading, number, line } of searchPage(await pageText(topic), word)) {
      print(`${topic}, ${heading}, line ${number}: ${line}\n`);
      count += 1;
    }
  }
  if (count === 0) print(`No page of the manual holds "${word}".\n`);
  return count > 0 ? EXIT.ok : EXIT.failed;
}
