/** The working directory, which a walk takes along. */

/** undefined when it is gone, or not ours to enter. */
export function workingDirectory(): string | undefined {
  try {
    const here = process.cwd();
    return goTo(here) ? here : undefined;
  } catch {
    // It was removed.
    return undefined;
  }
}

export function goTo(folder: string): boolean {
  try {
    process.chdir(folder);
    return true;
  } catch {
    // What is wrong, reading it says, too.
    return false;
  }
}
