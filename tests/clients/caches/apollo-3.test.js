import * as library from "@apollo/client-3/core/index.js";
import { row, versionOf } from "../harness/results.js";
import { createApollo } from "../snippets/apollo-3.js";
import { startApollo } from "./apollo.js";
import { cacheCases } from "./cases.js";

const result = row({
  order: 23,
  client: "@apollo/client, InMemoryCache",
  version: versionOf("@apollo/client-3"),
  transport: "a cache of the client above",
  lines: ["events.js", "apollo-cache.js"],
});
await cacheCases(result, startApollo(library, createApollo));
