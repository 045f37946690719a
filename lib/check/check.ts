/** One finding about the environment, as config-check prints it and doctor too. */

export interface Check {
  /** The variable that it is about, mostly. */
  readonly key: string;
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
}

export const ok = (key: string, message: string): Check => ({ key, status: "ok", message });
export const warn = (key: string, message: string): Check => ({ key, status: "warn", message });
export const fail = (key: string, message: string): Check => ({ key, status: "fail", message });

/** `TZ: …`, for a person. */
export function sentence({ key, message }: Check): string {
  return message.startsWith(`${key}:`) ? message : `${key}: ${message}`;
}
