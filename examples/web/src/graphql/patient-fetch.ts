const MAX_TRIES = 3;
const MAX_WAIT_S = 15;
/** A request can be lost without a word, as when a phone changes networks. */
const TIMEOUT_MS = 30_000;

/**
 * `fetch` that waits when the server says that it has been asked too much (`RATE_LIMITED`, status 429), and asks again.
 * Nothing of such a request was done.
 */
export function patientFetch(fetcher: typeof fetch = fetch): typeof fetch {
  return async (input, init) => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetcher(input, { ...init, signal: inTime(init?.signal) });
      const seconds = Number.parseInt(response.headers.get("retry-after") ?? "");
      if (response.status !== 429 || tries === MAX_TRIES || !(seconds <= MAX_WAIT_S)) return response;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    }
  };
}

/** Ends with the given signal, or when it takes too long. */
function inTime(signal: AbortSignal | null | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  // Browsers from before 2024 have no `any`: theirs end by themselves, later.
  if (signal) return "any" in AbortSignal ? AbortSignal.any([signal, timeout]) : signal;
  return timeout;
}
