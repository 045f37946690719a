/** The type of `new URL()`, under the types of Bun and of Deno alike. */
export type Url = InstanceType<typeof URL>;
