/** graphql-codegen writes the same types from the file and from the server, and strict TypeScript takes them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { generate } from "@graphql-codegen/cli";
import { startParlor } from "../harness/parlor.js";
import { report, versionOf } from "./harness/report.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const LIMIT_MS = 120_000;

const server = await startParlor();
// Within the workspace, so that the generated modules find their imports.
const parent = path("../results/");
await mkdir(parent, { recursive: true });
const directory = await mkdtemp(join(parent, "codegen-"));
after(() => rm(directory, { recursive: true, force: true }));

const scalars = { Cursor: "string", DateTime: "string", JSON: "Record<string, unknown>" };

/** What is generated from a schema, by the files' names. */
async function generated(schema) {
  const files = await generate({
    schema,
    // Where its plugins are looked for.
    cwd: path("."),
    documents: path("documents/*.graphql"),
    silent: true,
    config: { scalars, useTypeImports: true, strictScalars: true },
    generates: {
      "client/": { preset: "client" },
      "types.ts": { plugins: ["typescript"] },
      "operations.ts": { plugins: ["typescript-operations"] },
    },
  }, false);
  return new Map(files.map(({ filename, content }) => [filename, content]));
}

/** The plugin `typescript` copies the descriptions of scalars from the SDL alone, whatever introspection says. */
const withoutScalarComments = (text) => text.replace(/^export type Scalars = \{$[^]*?^\};$/m, (scalarTypes) => scalarTypes.replaceAll(/^ *\/\*\*[^]*?\*\/\n/gm, ""));

let fromFile;
test("the file and the server give the same types", { timeout: LIMIT_MS }, async () => {
  fromFile = await generated(path("../../../schema.graphql"));
  const fromServer = await generated(server.url);
  assert.deepEqual([...fromFile.keys()].sort(), [...fromServer.keys()].sort());
  for (const [name, text] of fromFile) assert.equal(withoutScalarComments(fromServer.get(name)), withoutScalarComments(text), name);
});

test("strict TypeScript takes them, and refuses what doesn't fit", { timeout: LIMIT_MS }, async () => {
  for (const [name, text] of fromFile) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  for (const name of ["usage.ts", "misuse.ts"]) await copyFile(path(`codegen/${name}`), join(directory, name));
  const compile = (name) =>
    promisify(execFile)(path("../node_modules/.bin/tsc"), ["--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--skipLibCheck", join(directory, name)]);
  await compile("usage.ts");
  const misused = await compile("misuse.ts").then(() => assert.fail("misuse.ts compiles"), ({ stdout }) => stdout);
  const errors = misused.match(/error TS\d+/g);
  assert.equal(errors.length, 3, misused);
  const printed = `${fromFile.size} files, equal from schema.graphql and from the server; tsc --strict takes them`;
  for (const [order, suite] of [[60, "@graphql-codegen/cli"], [61, "@graphql-codegen/client-preset"]]) await report({ order, suite, version: versionOf(suite), printed });
});
