import { CombinedError } from "@urql/core";
import { ApiError, type Extensions } from "../session/ask";

export interface Failure {
  /** `extensions.code`, or `NETWORK` when there was no answer. */
  code: string;
  message: string;
  field?: string | undefined;
  /** `extensions.reason`, which tells one thing that is forbidden from another. */
  reason?: string | undefined;
  retryAfterMs?: number | undefined;
}

/** What went wrong, whichever client noticed it. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) {
    const { code = "UNKNOWN", message, field, reason, retryAfterMs } = error;
    return { code, message, field, reason, retryAfterMs };
  }
  const first = error instanceof CombinedError ? error.graphQLErrors[0] : undefined;
  if (first) {
    const { code = "UNKNOWN", field, reason, retryAfterMs } = first.extensions as Extensions;
    return { code, message: first.message, field, reason, retryAfterMs };
  }
  return { code: "NETWORK", message: "no answer" };
}

/** Whether the same request may succeed later. */
export function isPassing({ code }: Failure): boolean {
  return ["NETWORK", "UNAVAILABLE", "RATE_LIMITED", "UNAUTHENTICATED"].includes(code);
}

/** For people. What the server says is meant for them only where an argument is at fault. */
export function explain({ code, message, field, reason, retryAfterMs }: Failure): string {
  switch (code) {
    case "NETWORK":
      return "The server can’t be reached. Check your connection.";
    case "UNAVAILABLE":
      return "The server is having an outage. Please try again in a moment.";
    case "RATE_LIMITED": {
      const seconds = Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000));
      return `That was a bit fast. Please try again in ${String(seconds)} s.`;
    }
    case "UNAUTHENTICATED":
      return "You are signed out. Please sign in again.";
    case "FORBIDDEN":
      return REFUSALS[reason ?? ""] ?? "You may not do that.";
    case "NOT_FOUND":
      return "It isn’t there any more.";
    case "BAD_USER_INPUT":
    case "CONFLICT":
      return sentence(withSubject(message, field));
    case "INTERNAL_SERVER_ERROR":
      return "The server failed. Trying again won’t help; its operator can find the reason in the log.";
    default: // Codes may be added.
      return sentence(message);
  }
}

/** By `ErrorReason`; reasons may be added. */
const REFUSALS: Record<string, string> = {
  BLOCKED: "One of you has blocked the other.",
  FILES_OFF: "This server takes no files.",
  MODERATOR_NEEDED: "Only moderators of this conversation may do that.",
  NOBODY_THERE: "Nobody else is in this conversation any more, so nobody would get your message.",
  OWNER_NEEDED: "Only owners of this conversation may do that.",
  REFUSED_WORD: "This has a word that isn’t said here.",
  SLOW_MODE: "This conversation is in slow mode. Please wait a little.",
  TIMED_OUT: "A moderator has silenced you here for a while.",
};

const SUBJECTS: Record<string, string> = {
  username: "the username",
  displayName: "your name",
  password: "the password",
  body: "the message",
};

/** What the server says of an argument may begin with a verb. */
function withSubject(message: string, field = ""): string {
  const subject = SUBJECTS[field.split(".").at(-1) ?? ""];
  return subject !== undefined && /^(must|is) /.test(message) ? `${subject} ${message}` : message;
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
