/** An identity provider of its own for each test file: oidc-provider, whose keys the test changes while it runs. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after } from "node:test";
import { Provider } from "oidc-provider";

/** What its tokens for Parlor have as `aud`. */
export const AUDIENCE = "urn:example:chat";

const SECRET = "a secret for tests, which opens nothing else";

/**
 * Starts a provider on a free port, which ends with the tests of the file.
 *
 * @param {object} knows
 * @param {string[]} knows.users each is a client of the provider, which gets tokens for itself
 */
export async function startProvider({ users }) {
  const provider = new IdentityProvider(users);
  await provider.start();
  after(() => provider.stop());
  return provider;
}

class IdentityProvider {
  #server;
  #handle;
  #users;
  #keys = [];
  /** How many seconds its tokens are valid. */
  ttlSecs = 600;
  /** How often its keys were asked for. */
  asked = 0;

  constructor(users) {
    this.#users = users;
    this.#server = createServer((request, response) => {
      if (request.url === "/jwks") this.asked += 1;
      this.#handle(request, response);
    });
  }

  async start() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.issuer = `http://127.0.0.1:${this.#server.address().port}`;
    this.changeKeys();
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** Signs with a new key from now on. Beside it, only the one that was used until now is still published. */
  changeKeys() {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "RS256", use: "sig" };
    this.#keys = [key, ...this.#keys.slice(0, 1)];
    const provider = new Provider(this.issuer, {
      jwks: { keys: this.#keys },
      clients: this.#users.map((name) => ({
        client_id: name,
        client_secret: SECRET,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      })),
      extraTokenClaims: (_, token) => ({ name: `The ${token.clientId}` }),
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, audience) => ({
            audience,
            scope: "",
            accessTokenFormat: "jwt",
            accessTokenTTL: this.ttlSecs,
            jwt: { sign: { alg: "RS256" } },
          }),
        },
      },
    });
    this.#handle = provider.callback();
  }

  /** A token of this user, by the client credentials flow. */
  async token(user) {
    const response = await fetch(`${this.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${user}:${encodeURIComponent(SECRET)}`).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE }),
    });
    const answer = await response.json();
    if (!answer.access_token) throw new Error(JSON.stringify(answer));
    return answer.access_token;
  }
}
