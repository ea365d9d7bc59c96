/**
 * A request and its sink, changed so that a client that sends the request again goes on where it was. To begin after a
 * cursor, put it into `extensions.after`.
 */
export function resuming(request, sink) {
  // Clients keep this object, and serialise it anew whenever they connect.
  const extensions = { ...request.extensions };
  const next = (result) => {
    sink.next(result);
    const event = Object.values(result.data ?? {})[0];
    if (event?.cursor) extensions.after = event.cursor;
  };
  return [{ ...request, extensions }, { ...sink, next }];
}

/** Waits before the next try: longer each time, up to a minute, and never at the same time as all other clients. */
export function patience(retries) {
  const ms = Math.min(30_000, 500 * 2 ** retries) * (1 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, ms));
}
