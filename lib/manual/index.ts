/** The manual: a page a topic. The pages lie in the binary, each read only when somebody asks for it. */

const LOAD = {
  backends: () => import("./backends.md", { with: { type: "text" } }),
  databases: () => import("./databases.md", { with: { type: "text" } }),
  "disaster-recovery": () => import("./disaster-recovery.md", { with: { type: "text" } }),
  security: () => import("./security.md", { with: { type: "text" } }),
  troubleshooting: () => import("./troubleshooting.md", { with: { type: "text" } }),
} as const satisfies Record<string, () => Promise<{ default: unknown }>>;

export type Topic = keyof typeof LOAD;

export const TOPICS = Object.keys(LOAD) as Topic[];

/** The Markdown of a page. */
export async function pageText(topic: Topic): Promise<string> {
  return String((await LOAD[topic]()).default);
}

/** What a page is called: its first heading. Pure. */
export function titleOf(page: string): string {
  return /^# (.*)$/m.exec(page)?.[1] ?? "";
}

export interface Hit {
  /** The heading below which the line stands. */
  readonly heading: string;
  /** Counted from 1. */
  readonly number: number;
  readonly line: string;
}

/** The lines of a page that hold `word`, in whatever case. What a code block has behind a `#` is no heading. Pure. */
export function searchPage(page: string, word: string): Hit[] {
  const wanted = word.toLowerCase();
  const hits: Hit[] = [];
  let heading = "";
  let isCode = false;
  for (const [at, line] of page.split("\n").entries()) {
    if (/^ *```/.test(line)) isCode = !isCode;
    if (!isCode && /^#+ /.test(line)) heading = line.replace(/^#+ /, "");
    if (line.toLowerCase().includes(wanted)) hits.push({ heading, number: at + 1, line: line.trim() });
  }
  return hits;
}
