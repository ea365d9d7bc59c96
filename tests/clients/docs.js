/**
 * Keeps docs/clients.md true: its code is that of `snippets/`, and its tables are what the tests have found. The
 * arguments name the tables, which are those of the folders in `results/`, or none. It compares; `--write` writes.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { ABILITIES } from "./harness/results.js";

const PAGE = new URL("../../docs/clients.md", import.meta.url);
const SNIPPETS = new URL("snippets/", import.meta.url);
const RESULTS = new URL("results/", import.meta.url);
const HEADINGS = ["queries and mutations", "subscriptions", "resumes", "renews tokens", "error codes"];

/** A module as users write it: here, older versions have names of their own. */
function snippet(name) {
  const text = readFileSync(new URL(name, SNIPPETS), "utf8");
  return text.replaceAll("@apollo/client-3", "@apollo/client").replaceAll("/index.js\"", "\"").trim();
}

const linesOf = (name) => snippet(name).split("\n").filter((line) => line.trim() && !/^\s*(\/\/|\/?\*)/.test(line)).length;

/** What tests have written into a folder of `results/`, in the order of the table. */
function found(table) {
  const folder = new URL(`${table}/`, RESULTS);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const rows = names.map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")));
  return rows.sort((a, b) => a.order - b.order);
}

const clients = {
  head: ["Client", "Transport", ...HEADINGS, "Besides", "To write (lines)"],
  cells: ({ client, version, transport, works, notes, lines }) => [
    `\`${client}\` ${version}`,
    transport,
    // A cache has none of them itself.
    ...ABILITIES.map((ability) => (works.length === 0 ? "–" : works.includes(ability) ? "yes" : "no")),
    notes.join("; ") || "–",
    lines.map((name) => `[${name}](#${name.replaceAll(".", "")}) (${linesOf(name)})`).join(", ") || "none",
  ],
};

const TABLES = {
  clients,
  python: {
    head: ["Client", "Transport", ...HEADINGS, "Besides"],
    cells: (row) => clients.cells(row).slice(0, -1),
  },
  suites: {
    head: ["Suite or tool", "What it found"],
    cells: ({ suite, version, printed }) => [`\`${suite}\` ${version}`, printed.replaceAll("|", "\\|")],
  },
};

function table(name) {
  const { head, cells } = TABLES[name];
  const rows = [head, head.map(() => "---"), ...found(name).map(cells)];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const present = readFileSync(PAGE, "utf8");
let expected = present.replaceAll(
  /(<!-- snippet (\S+) -->\n)[^]*?(<!-- end -->)/g,
  (_, begin, name, end) => `${begin}\`\`\`js\n${snippet(name)}\n\`\`\`\n${end}`,
);
const asked = process.argv.slice(2).filter((argument) => argument !== "--write");
for (const name of asked) {
  const place = new RegExp(`(<!-- table ${name} -->\\n)[^]*?(<!-- end -->)`);
  if (!place.test(expected)) throw new Error(`docs/clients.md has no table ${name}`);
  expected = expected.replace(place, (_, begin, end) => `${begin}${table(name)}\n${end}`);
}
if (process.argv.includes("--write")) {
  writeFileSync(PAGE, expected);
} else if (expected !== present) {
  const [is, shouldBe] = [present.split("\n"), expected.split("\n")];
  const line = is.findIndex((text, number) => text !== shouldBe[number]);
  console.error(`docs/clients.md differs in line ${line + 1}:\n- ${is[line]}\n+ ${shouldBe[line]}`);
  console.error(`If this is meant: node ${["tests/clients/docs.js", ...asked].join(" ")} --write`);
  process.exit(1);
}
