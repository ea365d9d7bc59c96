const SIGNED_OUT = "sign in again";

/** The tokens of this device. All tabs share them: one storage, and one refresh at a time. */
export function createSession({ url, signInNeeded, storage = localStorage, locks = navigator.locks }) {
  const load = () => JSON.parse(storage.getItem("parlor-session") ?? "null");
  // Five of the token's ten minutes, by this device's own clock, which may be wrong.
  const save = (session) => storage.setItem("parlor-session", JSON.stringify({ ...session, renewAt: Date.now() + 300_000 }));
  const isFresh = (session, rejected) => session.accessToken !== rejected && Date.now() < session.renewAt;

  async function renew(rejected) {
    const session = load(); // again: another tab may have renewed it while this one waited for the lock
    if (!session) throw new Error(SIGNED_OUT);
    if (isFresh(session, rejected)) return session.accessToken;
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        query: `mutation ($token: String!) {
          refreshSession(refreshToken: $token) { accessToken refreshToken }
        }`,
        variables: { token: session.refreshToken },
      }),
    });
    const { data, errors } = await response.json();
    if (errors?.[0].extensions?.code === "UNAUTHENTICATED") {
      storage.removeItem("parlor-session");
      signInNeeded();
      throw new Error(SIGNED_OUT);
    }
    if (!data) throw new Error(errors[0].message);
    save(data.refreshSession); // before anything else of the answer is used
    return data.refreshSession.accessToken;
  }

  return {
    /** Keeps what `signIn` or `signUp` answered. */
    save,
    /** A token that is valid. `rejected`: the one that the server has just refused, if it has. */
    async accessToken(rejected) {
      const session = load();
      if (session && isFresh(session, rejected)) return session.accessToken;
      return locks.request("parlor-session", () => renew(rejected));
    },
    /** Whether there is anything to renew. */
    isSignedIn: () => load() !== null,
  };
}
