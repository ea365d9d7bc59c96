/**
 * Keeps docs/clients.md true: its code is that of `snippets/`, and its table what the tests have found. Without
 * arguments it compares; `--write` writes. `--code` leaves the table alone.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
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

function table() {
  const rows = existsSync(RESULTS)
    ? readdirSync(RESULTS).filter((name) => name.endsWith(".json")).map((name) => JSON.parse(readFileSync(new URL(name, RESULTS), "utf8")))
    : [];
  rows.sort((a, b) => a.order - b.order || a.client.localeCompare(b.client));
  const cells = ({ client, version, transport, works, notes, lines }) => [
    `\`${client}\` ${version}`,
    transport,
    // A cache has none of them itself.
    ...ABILITIES.map((ability) => (works.length === 0 ? "–" : works.includes(ability) ? "yes" : "no")),
    notes.join("; ") || "–",
    lines.map((name) => `[${name}](#${name.replaceAll(".", "")}) (${linesOf(name)})`).join(", ") || "none",
  ];
  const head = ["Client", "Transport", ...HEADINGS, "Besides", "To write (lines)"];
  const text = [head, head.map(() => "---"), ...rows.map(cells)].map((row) => `| ${row.join(" | ")} |`);
  return text.join("\n");
}

const present = readFileSync(PAGE, "utf8");
let expected = present.replaceAll(
  /(<!-- snippet (\S+) -->\n)[^]*?(<!-- end -->)/g,
  (_, begin, name, end) => `${begin}\`\`\`js\n${snippet(name)}\n\`\`\`\n${end}`,
);
if (!process.argv.includes("--code")) {
  expected = expected.replace(/(<!-- table -->\n)[^]*?(<!-- end -->)/, (_, begin, end) => `${begin}${table()}\n${end}`);
}
if (process.argv.includes("--write")) {
  writeFileSync(PAGE, expected);
} else if (expected !== present) {
  const [is, shouldBe] = [present.split("\n"), expected.split("\n")];
  const line = is.findIndex((text, number) => text !== shouldBe[number]);
  console.error(`docs/clients.md differs in line ${line + 1}:\n- ${is[line]}\n+ ${shouldBe[line]}`);
  console.error("If this is meant: tests/clients/run, then node tests/clients/docs.js --write");
  process.exit(1);
}
