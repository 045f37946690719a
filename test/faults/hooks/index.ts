/** The corpus of hostile hooks. */

import { destroyers } from "./destroyers.ts";
import { endings } from "./endings.ts";
import { files } from "./files.ts";
import { output } from "./output.ts";
import { processes } from "./processes.ts";

export const hostileHooks = [...processes, ...output, ...endings, ...files, ...destroyers];
