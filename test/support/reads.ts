/**
 * Which variables of the environment a source file can read: found by bundling it, as the build does, so that only
 * what it reaches is left, and looking for their names in that.
 */

import { type VariableName, variables } from "../../lib/config/variables.ts";

const NAMES = Object.keys(variables) as VariableName[];

/** What is not read but declared; it would hide what is read. */
const DECLARATIONS = [
  /(?<=export const variables = \{)[\s\S]*?(?=\n\} as const)/,
  /(?<=(?:\benvironment: |_ENVIRONMENT = )\[)(?:\s*(?:"[^"]*"|\.\.\.[A-Z_]+),?)*\s*(?=\])/g,
];

/** A method in a class as Bun prints it. */
const METHOD =
  /^ {2}(?:static |async |get |set )*([\w$]+)\((?:[^()]|\([^()]*\))*\) \{\n(?: {4}.*\n|\n| {2}[^ }].*\n)*? {2}\}\n/gm;

export async function variablesRead(path: string): Promise<Set<VariableName>> {
  const code = withoutUnusedMethods(await bundled(path));
  // Every *_CRON is read by going through the list of them.
  const readsSchedules = (code.match(/\bCRON_VARIABLES\b/g)?.length ?? 0) > 1;
  return new Set(
    NAMES.filter(
      (name) =>
        code.includes(`"${name}"`) ||
        // `env.HOSTNAME`
        new RegExp(`\\.${name}\\b`).test(code) ||
        // `HOOK_TIMEOUT_${phase}`
        (/^\w+<\w+>$/.test(name) && code.includes(`\`${name.slice(0, name.indexOf("<"))}\${`)) ||
        (readsSchedules && variables[name].kind === "cron"),
    ),
  );
}

async function bundled(path: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [path],
    target: "bun",
    plugins: [
      {
        name: "without declarations",
        setup: (build) => {
          build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
            const text = await Bun.file(path).text();
            return {
              contents: DECLARATIONS.reduce((left, each) => left.replace(each, ""), text),
              loader: "ts",
            };
          });
        },
      },
    ],
  });
  return (await Promise.all(outputs.map((output) => output.text()))).join("\n");
}

/** The bundler leaves a class whole; a method that nothing names any more reads nothing. */
function withoutUnusedMethods(code: string): string {
  const left = code.replace(METHOD, (method, name: string) => {
    if (name === "constructor") return method;
    // By name alone: a method of another class with the same name keeps it, too.
    const isNamed = new RegExp(`\\.${name}\\b|[{,] ?${name}\\b(?=[^\\n]*\\} = )`);
    return isNamed.test(code.replace(method, "")) ? method : "";
  });
  return left === code ? code : withoutUnusedMethods(left);
}
