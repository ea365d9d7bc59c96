const MAX_TRIES = 3;
const MAX_WAIT_S = 15;

/**
 * `fetch` that waits when the server says that it has been asked too much (`RATE_LIMITED`, status 429), and asks again.
 * Nothing of such a request was done.
 */
export function patientFetch(fetcher: typeof fetch = fetch): typeof fetch {
  return async (...request) => {
    for (let tries = 1; ; tries += 1) {
      const response = await fetcher(...request);
      const seconds = Number(response.headers.get("retry-after") ?? NaN);
      if (response.status !== 429 || tries === MAX_TRIES || !(seconds <= MAX_WAIT_S)) return response;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    }
  };
}
