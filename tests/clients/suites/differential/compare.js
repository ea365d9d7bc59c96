/** Runs a request on the server, and says in what its answer differs from what graphql-js says. */
import { executedOn, isNullWhereNotNull, judge } from "./oracle.js";
import { post } from "./server.js";

/** What Parlor refuses however valid it is: its limits, as docs/decisions.md and `src/http/guard/limits.rs` name them. */
const LIMITS = /more than (an estimated )?\d+ (bytes|tokens|levels|fields|directives|arguments|times|aliases)|Query is too complex|too complex|longer than \d+/;

/** How often a new message is posted while a subscription waits for its first event. */
const POST_EACH_MS = 300;
const WAIT_MS = 20_000;

/**
 * @typedef {object} Difference
 * @property {string} oracle what graphql-js says
 * @property {string} server what Parlor answers
 */

/**
 * By POST, or through the socket if the operation is a subscription. A refusal must come before anything runs, so a
 * response that has `data` is none.
 *
 * @returns {Promise<{ difference?: Difference, ran: boolean, limit?: boolean, subscription?: boolean }>}
 */
export async function compare(world, request, over = "http") {
  const verdict = judge(request.query, request.variables, request.operationName);
  const subscription = verdict.operation?.operation === "subscription" || (verdict.refusal && /^\s*subscription/.test(request.query));
  const posts = verdict.refusal && request.query.includes("postMessage");
  const before = posts && (await world.lastSeq());
  const answer = await answered(world, request, subscription ? "subscription" : over);
  const ran = Object.hasOwn(answer, "data");
  const say = (server) => ({ ran, subscription, difference: { oracle: verdict.refusal ? `refused: ${verdict.refusal}` : "runs", server } });
  if (answer.closed) return say(`closes the socket: ${answer.closed}`);
  const errors = JSON.stringify(answer.errors?.map(({ message, extensions }) => `${extensions?.code}: ${message}`));
  if (answer.errors?.some(({ extensions }) => extensions?.code === "INTERNAL_SERVER_ERROR" || !extensions?.code)) return say(`has no good error: ${errors}`);
  if (posts && (await world.lastSeq()) !== before) return say(`has posted, and answers ${errors}`);
  // The SDL doesn't say which texts are moments: Parlor says so of the field, which has done nothing, nor has any after it.
  const ofField = answer.data === null && answer.errors?.every(({ path, extensions }) => path?.length > 0 && extensions.code === "BAD_USER_INPUT");
  if (/^this is no |: this is no /.test(verdict.refusal ?? "") && ofField) return { ran: false, subscription };
  if (verdict.refusal) return ran || answer.complete ? say(`runs: ${JSON.stringify(answer.data)} ${errors ?? ""}`) : { ran, subscription };
  if (!ran) {
    if (answer.errors?.every(({ message }) => LIMITS.test(message))) return { ran, subscription, limit: true };
    if (isNullWhereNotNull(verdict.args)) return { ran, subscription };
    // What a subscription is about may not exist, which only the server knows.
    if (subscription && answer.errors?.every(({ extensions }) => ["NOT_FOUND", "BAD_USER_INPUT"].includes(extensions.code))) return { ran, subscription };
    return say(`refuses: ${errors}`);
  }
  return shape(answer, verdict.args, say) ?? { ran, subscription };
}

/** Fields, their order, `{}` where nothing is selected, and null where arguments can't be coerced. */
function shape(answer, args, say) {
  if (answer.data === null) {
    const atFault = answer.errors?.every(({ path }) => path?.length > 0);
    return atFault ? undefined : say(`data is null: ${JSON.stringify(answer.errors)}`);
  }
  const expected = executedOn(args, answer.data);
  const [theirs, ours] = [JSON.stringify(expected.data), JSON.stringify(answer.data)];
  if (theirs === ours) return undefined;
  const why = expected.errors?.map(({ message }) => message).join("; ") ?? "";
  const { ran, subscription, difference } = say(`data ${ours}`);
  return { ran, subscription, difference: { ...difference, oracle: `data ${theirs} ${why}` } };
}

function answered(world, request, over) {
  if (over === "subscription") return subscribed(world, request);
  return over === "http" ? post(world.url, world.token, request) : world.socket.first(request);
}

/** The first answer to a subscription, while messages are posted that it may be about. */
async function subscribed(world, request) {
  let answer;
  const first = world.socket.first(request).then((it) => (answer = it));
  const end = Date.now() + WAIT_MS;
  while (!answer && Date.now() < end) {
    await Promise.race([first, new Promise((resolve) => setTimeout(resolve, POST_EACH_MS))]);
    if (!answer) await world.post();
  }
  return answer ?? { errors: [{ message: `nothing came in ${WAIT_MS} ms`, extensions: { code: "NOTHING" } }] };
}
