import * as library from "@apollo/client";
import { row, versionOf } from "../harness/results.js";
import { createApollo } from "../snippets/apollo.js";
import { startApollo } from "./apollo.js";
import { cacheCases } from "./cases.js";

const result = row({
  order: 22,
  client: "@apollo/client, InMemoryCache",
  version: versionOf("@apollo/client"),
  transport: "a cache of the client above",
  lines: ["events.js", "apollo-cache.js"],
});
await cacheCases(result, startApollo(library, createApollo));
