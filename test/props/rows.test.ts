// The job file of replicate: rows that were written are read again, and no credential of one is shown.
import { createRemoteMask, maskRemote } from "../../lib/mask.ts";
import { MODES, parseRows } from "../../lib/rclone/rows.ts";
import { quoteWord, splitWords } from "../../lib/words.ts";
import { differ, property, type Random, SIGNS } from "../support/property.ts";

const PATH_SIGNS = [..."abc:/.,=#'\"\\$&~*- ", "remote:", "ü", "😀", "\xa0", "\t", "{", "--x"];
/** A path without blanks at its ends, and without what no path may begin with. */
const path = (random: Random, first: string) =>
  `${first}${random.text(PATH_SIGNS, 12)}`.replace(/[ \t]+$/, "");
const blanks = (random: Random) => random.text([" ", "\t"], random.chance(0.3) ? 3 : 0);

interface Written {
  readonly line: string;
  readonly row?: object;
}

function row(random: Random): Written {
  const source = path(random, random.pick(["/", "a", ":", "ä", "."]));
  const destination = path(random, random.pick(["/", "b", ":s3,x=y:", "#"]));
  const mode = random.pick([...MODES, undefined]);
  const extra =
    mode === undefined && random.chance(0.5)
      ? []
      : random.list(0, 3, () => random.text([..."ab ;'\"\\#-="], 6, 1));
  const fields = [source, destination];
  if (mode !== undefined || extra.length > 0) fields.push(cased(random, mode ?? ""));
  // A blank at the end of a quoted word is kept, one after the row is not.
  if (extra.length > 0) fields.push(extra.map(quoteWord).join(random.pick([" ", "\t", "  "])));
  const line = fields.map((each) => blanks(random) + each + blanks(random)).join(";");
  return { line, row: { source, destination, mode: mode ?? MODES[0], extra } };
}

const cased = (random: Random, text: string) => (random.chance(0.2) ? text.toUpperCase() : text);

const comment = (random: Random): Written => ({
  line: random.pick([
    "",
    " \t",
    `${blanks(random)}#${random.text(PATH_SIGNS, 9)};${random.text(PATH_SIGNS, 9)}`,
  ]),
});

property(
  "the rows that were written are read again, each with its line",
  (random) => ({
    written: random.list(0, 4, () => (random.chance(0.7) ? row(random) : comment(random))),
    end: random.pick(["\n", "\r\n", "\r"]),
    mark: random.pick(["", "", "\ufeff"]),
    last: random.chance(0.5),
  }),
  ({ written, end, mark, last }) => {
    const text = mark + written.map(({ line }) => line).join(end) + (last ? end : "");
    const rows = written.flatMap(({ row }, at) => (row === undefined ? [] : [{ line: at + 1, ...row }]));
    return differ(parseRows(text), { rows, malformed: [] });
  },
);

property(
  "of any text each line is a row, a comment, or malformed and says why",
  (random) => random.text([...SIGNS, ";", ";", "\n", "\n", "/a", "sync", "copy", "snyc"], 40),
  (text) => {
    const { rows, malformed } = parseRows(text);
    const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
    const content = lines.flatMap((line, at) => (/^[ \t]*(#|$)/.test(line) ? [] : [at + 1]));
    const said = [...rows, ...malformed].map(({ line }) => line).sort((a, b) => a - b);
    const silent = malformed.find(({ why }) => why === "" || why.includes("undefined"));
    return silent === undefined ? differ(said, content) : `why: ${silent.why}`;
  },
);

/** Words of rclone that name a credential, each with what may stand around it. */
function credential(random: Random, value: string): string {
  const option = random.pick([
    "pass",
    "secret_access_key",
    "token",
    "sas_url",
    "client-secret",
    "s3-session-token",
  ]);
  const flag = `--${option.replaceAll("_", "-")}`;
  const quoted = [
    `${flag}\t'${value}' --dry-run`,
    `${flag}="${value}"`,
    `:s3,${option}="${value},""x:":bucket/a`,
  ];
  if (/[ ;]/.test(value)) return random.pick(quoted);
  return random.pick([
    ...quoted,
    `:s3,${option}=${value}:bucket`,
    `remote,x=y,${option}=${value}:`,
    `:s3,${option}='${value}:y',x=y:`,
    `:webdav,url="https://user:${value}@host/":`,
    `${flag}=${value}`,
    `${flag} ${value}`,
    `https://user:${value}@host/x`,
  ]);
}

const secretOf = (random: Random) =>
  `Q${random.text([..."abcd012+%~", random.pick(["_", "_", " ", ";"])], 20, 8)}W`;

property(
  "no credential of a malformed row is shown, whichever field it stands in",
  (random) => {
    const value = secretOf(random);
    const fields = random.list(1, 5, () => random.pick(["", "/a", "-a", "snyc", "copy", "remote:b", "'x"]));
    fields[random.int(0, fields.length - 1)] = credential(random, value);
    return { text: fields.join(";"), value };
  },
  ({ text, value }) => {
    const shown = JSON.stringify(parseRows(text).malformed);
    const parts = [value, ...value.split(/[ ;]/).filter((part) => part.length > 5)];
    return parts.some((part) => shown.includes(part)) ? shown : undefined;
  },
);

property(
  "no credential of a row is shown, in its words or in what rclone says of it",
  (random) => {
    const value = secretOf(random);
    const text = credential(random, value);
    return {
      text,
      words: ["/a", ...splitWords(text), "--x"],
      said: random.text(["A ", "B:", value], 5),
      value,
    };
  },
  ({ text, words, said, value }) => {
    const mask = createRemoteMask(words);
    const shown = [maskRemote(`/a ${text} --x`), mask(`/a ${text} --x`), mask(said)];
    return shown.find((each) => each.includes(value)) ?? differ(mask(mask(said)), mask(said));
  },
);

property(
  "words without a credential stay as they are",
  (random) => random.text(["/a", " ", "remote:", ":s3,region=eu:", "--dry-run", ";", "x=y", "ü", "_"], 9),
  (text) => differ(maskRemote(text), text) ?? differ(createRemoteMask(text.split(" "))(text), text),
);
