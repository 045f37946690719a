/** The JSON lines that restic prints, as far as they are used. Pure. Checked with 0.14, 0.18 and 0.19. */

export interface StatusMessage {
  readonly message_type: "status";
  /** 0 to 1. */
  readonly percent_done?: number;
  readonly seconds_elapsed?: number;
  readonly seconds_remaining?: number;
  readonly total_files?: number;
  readonly files_done?: number;
  readonly total_bytes?: number;
  readonly bytes_done?: number;
}

export interface BackupSummary {
  readonly message_type: "summary";
  readonly files_new?: number;
  readonly files_changed?: number;
  readonly files_unmodified?: number;
  readonly dirs_new?: number;
  readonly dirs_changed?: number;
  readonly dirs_unmodified?: number;
  readonly data_added?: number;
  /** Since 0.16. */
  readonly data_added_packed?: number;
  readonly total_files_processed?: number;
  readonly total_bytes_processed?: number;
  /** Short in 0.14, long since. */
  readonly snapshot_id?: string;
}

export interface ErrorMessage {
  readonly message_type: "error";
  readonly error?: { readonly message?: string } | string;
  /** Of check, which has no `error`. */
  readonly message?: string;
  readonly during?: string;
  readonly item?: string;
}

/** The last words of restic since 0.17. */
export interface ExitMessage {
  readonly message_type: "exit_error";
  readonly code?: number;
  readonly message?: string;
}

export interface VerboseMessage {
  readonly message_type: "verbose_status";
  readonly action?: string;
  readonly item?: string;
}

export type Message = StatusMessage | BackupSummary | ErrorMessage | ExitMessage | VerboseMessage;

/** The message on a line; undefined when the line is plain words, or JSON of another kind. */
export function parseMessage(line: string): Message | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as { message_type?: unknown };
    return typeof value.message_type === "string" ? (value as Message) : undefined;
  } catch {
    // Not JSON after all: the caller shows the line as it is.
    return undefined;
  }
}

/** `/data/x: permission denied`, from an error message of any version. */
export function errorText({ error, message, item }: ErrorMessage): string {
  const text = typeof error === "string" ? error : (error?.message ?? message ?? "").trim();
  if (!item || text.includes(item)) return text || (item ?? "an error without words");
  return text === "" ? item : `${item}: ${text}`;
}
