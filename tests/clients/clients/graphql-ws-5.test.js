import * as library from "graphql-ws-5";
import { row, versionOf } from "../harness/results.js";
import { socketCases } from "./socket-cases.js";

const result = row({
  order: 11,
  client: "graphql-ws",
  version: versionOf("graphql-ws-5"),
  transport: "WebSocket, `graphql-transport-ws`",
  lines: ["session.js", "resuming.js", "socket.js"],
});
await socketCases(result, library);
