import * as library from "graphql-ws";
import { row, versionOf } from "../harness/results.js";
import { socketCases } from "./socket-cases.js";

const result = row({
  order: 10,
  client: "graphql-ws",
  version: versionOf("graphql-ws"),
  transport: "WebSocket, `graphql-transport-ws`",
  lines: ["session.js", "resuming.js", "socket.js"],
});
await socketCases(result, library);
