// Small readers: mounts as the kernel lists them, files that words name, and what somebody may have meant.

import { hasResticMount, parseMountinfo } from "../../lib/files/mounts.ts";
import { nearest } from "../../lib/nearest.ts";
import { namedFiles } from "../../lib/restic/backup-args.ts";
import { differ, property, type Random, SIGNS } from "../support/property.ts";

const PATH = [..."ab -#,:;'\"\\\n\t", "ä", "😀", " - ", "\\040", "040", "restic"];

/** As the kernel writes a path: seq_path() with these escaped. */
const escaped = (text: string) =>
  text.replace(/[ \t\n\\#]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, "0")}`);

interface Mounted {
  readonly at: string;
  readonly type: string;
  readonly source: string;
  readonly line: string;
}

function mount(random: Random): Mounted {
  const at = `/${random.text(PATH, 6)}`;
  const type = random.pick(["fuse", "ext4", "fuse.sshfs", "tmpfs"]);
  const source = random.pick(["restic", "restic:0a1b2c", "/dev/sda1", "none", `x${random.text(PATH, 4)}`]);
  const optional = random.list(0, 3, () => random.pick(["shared:1", "master:2", "unbindable"]));
  const head = [
    random.int(1, 999),
    35,
    "98:0",
    `/${escaped(random.text(PATH, 2))}`,
    escaped(at),
    "rw,noatime",
    ...optional,
  ];
  return {
    at,
    type,
    source,
    line: `${head.join(" ")} - ${type} ${escaped(source)} rw,size=${random.int(0, 9)}`,
  };
}

property(
  "mounts are read as the kernel wrote them",
  (random) => random.list(0, 4, () => mount(random)),
  (mounts) => {
    const found = parseMountinfo(mounts.map(({ line }) => `${line}\n`).join(""));
    const wanted = mounts.map(({ at, type, source }) => ({ at, type, source }));
    const place = wanted[0]?.at ?? "/";
    const isRestic = wanted.some(
      ({ at, type, source }) => at === place && type === "fuse" && /^restic(:|$)/.test(source),
    );
    return differ(found, wanted) ?? differ(hasResticMount(found, place), isRestic);
  },
);

property(
  "any text is a list of mounts",
  (random) => random.text([...SIGNS, " - ", "\\", "777", "\n", "1 2 3:4 / /"], 20),
  (text) =>
    parseMountinfo(text).every(({ at, source }) => typeof at + typeof source === "stringstring")
      ? undefined
      : "no text",
);

const FLAGS = [
  "--files-from",
  "--files-from-verbatim",
  "--files-from-raw",
  "--exclude-file",
  "--iexclude-file",
];

property(
  "the files that were named are found, in their order",
  (random) => {
    const named: { flag: string; path: string }[] = [];
    const words = random.list(0, 5, () => {
      const [flag, path] = [random.pick(FLAGS), random.text([..."ab/= -", "--tag", "."], 4)];
      const kind = random.int(0, 4);
      if (kind > 1)
        return random.pick([
          ["--tag", "x"],
          ["--files"],
          ["/data"],
          [`${flag}-x`, "y"],
          [flag, "-"],
          [`x${flag}=y`],
        ]);
      if (path !== "-") named.push({ flag, path });
      return kind === 0 ? [flag, path] : [`${flag}=${path}`];
    });
    const after = random.pick([[], ["--"], ["--", "--exclude-file=x"], ["--files-from"]]);
    return { words: [...words.flat(), ...after], named };
  },
  ({ words, named }) => differ(namedFiles(words), named),
);

/** Optimal string alignment by the whole table. */
function distance(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, row) => [row]);
  for (let column = 0; column <= b.length; column++) table[0]![column] = column;
  for (let row = 1; row <= a.length; row++) {
    for (let column = 1; column <= b.length; column++) {
      const [above, here] = [table[row - 1]!, table[row]!];
      const changed = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      const isExchange =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const exchanged = isExchange ? table[row - 2]![column - 2]! + 1 : Infinity;
      here[column] = Math.min(above[column]! + 1, here[column - 1]! + 1, changed, exchanged);
    }
  }
  return table[a.length]![b.length]!;
}

property(
  "the nearest word is the first of the nearest by the whole table",
  (random) => {
    const word = () => random.text([..."abcA-_"], random.pick([3, 8, 12]));
    return { wanted: word(), words: random.list(0, 4, word), most: random.pick([undefined, 0, 1, 3]) };
  },
  ({ wanted, words, most }) => {
    const limit = most ?? Math.max(2, Math.floor(wanted.length / 3));
    const far = words.map((each) => distance(wanted.toLowerCase(), each.toLowerCase()));
    const near = far.map((each, at) =>
      each <= limit && each < Math.max(wanted.length, words[at]!.length) ? each : Infinity,
    );
    const best = Math.min(Infinity, ...near);
    const first = best === Infinity ? undefined : words[near.indexOf(best)];
    return differ(nearest(wanted, words, most), first);
  },
);
