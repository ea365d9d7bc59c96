/** schema.graphql and what the server says of itself by introspection are one schema. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { CriticalityLevel, diff, validate as inspect } from "@graphql-inspector/core";
import * as sixteen from "graphql";
import * as seventeen from "graphql-17";
import { request } from "../harness/people.js";
import { startParlor } from "../harness/parlor.js";
import { assertOnlyKnown } from "./harness/known.js";
import { report, versionOf } from "./harness/report.js";

const server = await startParlor();
const sdl = readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8");

/** Every option of the introspection query that graphql-js has. */
const OPTIONS = ["specifiedByUrl", "directiveIsRepeatable", "schemaDescription", "inputValueDeprecation", "oneOf"];

async function introspected(graphql, options) {
  const { data, errors } = await request(server.url, { query: graphql.getIntrospectionQuery(options) });
  assert.equal(errors, undefined, JSON.stringify(errors));
  return graphql.buildClientSchema(data);
}

/** The lines that only one of two texts has, with `-` or `+` before them. */
function differing(file, url) {
  const [inFile, inUrl] = [file, url].map((text) => new Set(text.split("\n")));
  const missing = [...inFile].filter((line) => !inUrl.has(line)).map((line) => `- ${line}`);
  return [...missing, ...[...inUrl].filter((line) => !inFile.has(line)).map((line) => `+ ${line}`)].join("\n");
}

for (const [graphql, name] of [[sixteen, "graphql"], [seventeen, "graphql-17"]]) {
  test(`${name} builds the same schema from the file and from introspection, with every option`, async () => {
    const schema = graphql.buildSchema(sdl);
    assert.deepEqual(graphql.validateSchema(schema), []);
    const failed = new Map();
    const choices = [{}, { descriptions: false }, ...OPTIONS.map((option) => ({ [option]: true })), Object.fromEntries(OPTIONS.map((option) => [option, true]))];
    for (const choice of choices) {
      const print = (it) => graphql.printSchema(graphql.lexicographicSortSchema(it));
      // A query that asks for less is answered with less of the file, too.
      const asked = graphql.executeSync({ schema, document: graphql.parse(graphql.getIntrospectionQuery(choice)) });
      const [file, url] = [print(graphql.buildClientSchema(asked.data)), print(await introspected(graphql, choice))];
      if (file !== url) failed.set(`${name}: ${JSON.stringify(choice)}`, differing(file, url));
    }
    const printed = `${choices.length} introspection queries, ${choices.length - failed.size} equal to schema.graphql`;
    await report({ order: graphql === sixteen ? 20 : 21, suite: name, version: versionOf(name), printed });
    assertOnlyKnown(name, failed);
  });
}

test("graphql-inspector finds no change between the file and the server", async () => {
  const changes = await diff(sixteen.buildSchema(sdl), await introspected(sixteen, { specifiedByUrl: true }));
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  const directory = new URL("documents/", import.meta.url);
  const documents = readdirSync(directory).map((name) => new sixteen.Source(readFileSync(new URL(name, directory), "utf8"), name));
  const invalid = inspect(await introspected(sixteen, {}), documents);
  const printed = `${changes.length} changes, ${breaking.length} breaking; ${documents.length} documents, ${invalid.length} invalid`;
  await report({ order: 30, suite: "@graphql-inspector/core", version: versionOf("@graphql-inspector/core"), printed });
  assert.deepEqual(invalid, []);
  assertOnlyKnown("graphql-inspector", new Map(changes.map(({ message, path }) => [message, path])));
});
