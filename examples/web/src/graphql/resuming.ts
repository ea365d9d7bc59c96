import type { FormattedExecutionResult } from "graphql";
import type { Sink, SubscribePayload } from "graphql-ws";

/** A sink of any client's. */
export type ResultSink = Sink<FormattedExecutionResult<Record<string, unknown>, unknown>>;

/**
 * A request and its sink, changed so that a client that sends the request again goes on where it was. To begin after a
 * cursor, put it into `extensions.after`.
 */
export function resuming(request: SubscribePayload, sink: ResultSink): [SubscribePayload, ResultSink] {
  // graphql-ws keeps this object, and serialises it anew whenever it connects.
  const extensions: Record<string, unknown> = { ...request.extensions };
  return [
    { ...request, extensions },
    {
      ...sink,
      next(result) {
        try {
          sink.next(result);
        } catch (error) {
          // graphql-ws would close the socket, and the same event would come again and again.
          reportError(error);
        }
        const cursor = cursorOf(Object.values(result.data ?? {})[0]);
        if (cursor !== undefined) extensions.after = cursor;
      },
    },
  ];
}

function cursorOf(event: unknown): string | undefined {
  if (typeof event !== "object" || event === null || !("cursor" in event)) return undefined;
  return typeof event.cursor === "string" ? event.cursor : undefined;
}
