/** Where the API is: on the page's own origin, unless `VITE_PARLOR_URL` said otherwise when the app was built. */
const api = new URL(import.meta.env.VITE_PARLOR_URL ?? "/graphql", window.location.href);

export const API_URL = api.href;
export const SOCKET_URL = api.href.replace(/^http/, "ws");

/** Where the app's own backend hands out tokens, in an app that has users of its own. Undefined: Parlor signs users in. */
export const TOKEN_URL = import.meta.env.VITE_TOKEN_URL;
