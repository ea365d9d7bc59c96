/**
 * Writes src/gql: the types of the schema and of the documents in src/**\/*.graphql, by GraphQL Code Generator's client
 * preset. Its command line has three times as many dependencies, which is why this calls the preset itself.
 *
 * The schema is the file that the variable SCHEMA names, or that of Parlor's repository.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { codegen } from "@graphql-codegen/core";
import { preset } from "@graphql-codegen/client-preset";
import { buildASTSchema, isAbstractType, parse } from "graphql";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = join(root, "src/gql/");
const schemaFile = process.env.SCHEMA ?? join(root, "../../schema.graphql");

const schema = parse(await readFile(schemaFile, "utf8"));
const schemaAst = buildASTSchema(schema);

const files = (await readdir(join(root, "src"), { recursive: true }))
  .filter((name) => name.endsWith(".graphql"))
  .sort()
  .map((name) => join(root, "src", name));
const documents = await Promise.all(
  files.map(async (location) => {
    const rawSDL = await readFile(location, "utf8");
    return { location, rawSDL, document: parse(rawSDL) };
  }),
);

const sections = await preset.buildGeneratesSection({
  baseOutputDir: output,
  schema,
  schemaAst,
  documents,
  config: {
    useTypeImports: true,
    enumType: "string-literal",
    scalars: { ID: "string", DateTime: "string", Cursor: "string", JSON: "Record<string, unknown>" },
    strictScalars: true,
    // Graphcache and `switch (event.__typename)` need it everywhere.
    nonOptionalTypename: true,
    skipTypeNameForRoot: true,
  },
  presetConfig: { fragmentMasking: false },
  plugins: [],
  pluginMap: {},
});

await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
for (const section of sections) {
  await mkdir(dirname(section.filename), { recursive: true });
  await writeFile(section.filename, await codegen(section));
}

// What graphcache has to know of the schema: which types an interface stands for.
const possibleTypes = Object.fromEntries(
  Object.values(schemaAst.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schemaAst.getPossibleTypes(type).map(({ name }) => name)]),
);
await writeFile(
  join(output, "possible-types.ts"),
  `/* eslint-disable */\nexport const possibleTypes: Record<string, string[]> = ${JSON.stringify(possibleTypes, null, 2)};\n`,
);
