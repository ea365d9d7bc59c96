import type { Exchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { possibleTypes } from "../gql/possible-types";
import { resolvers } from "./lists";
import { updatesFor } from "./updates";

/** What has no id of its own, and belongs to whatever it was fetched with. */
const none = () => null;
const keys = {
  MessageViewer: none,
  PinnedMessage: none,
  ReactionChange: none,
  ReactionGroup: none,
  SearchHit: none,
  TextFragment: none,
};

/** The normalised cache, which the events of the subscription keep as a fetch would answer. */
export function createCache(viewerId: string): Exchange {
  return cacheExchange({ possibleTypes, keys, resolvers, updates: updatesFor(viewerId), logger });
}

/** Without a schema, graphcache looks in an event for the fields of all other events, and warns that they are missing. */
function logger(severity: "debug" | "error" | "warn", message: string) {
  if (severity !== "debug" && !message.endsWith("#13")) console[severity](message);
}
