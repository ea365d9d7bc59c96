/** Documents by chance: valid ones that use much of the schema, and the same with something broken. */
import { getNamedType, isAbstractType, isCompositeType, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType, isRequiredArgument } from "graphql-17";
import { mutated } from "./mutate.js";
import { Random } from "./random.js";
import { schema } from "./oracle.js";

/** Fields that would end what the other requests need, or cost a password's hashing. */
const AVOIDED = new Set(["banMember", "blockUser", "deleteAccount", "deleteMessage", "deleteRoom", "leaveRoom", "refreshSession", "removeMember", "signIn", "signOut", "signUp"]);
const MAX_DEPTH = 3;
const VARIABLE_SETS = 4;

/**
 * So many documents, each with several sets of variables. The same seed gives the same.
 *
 * @returns {{ rule: string, query: string, variables?: string, operationName?: string }[]}
 */
export function generated(count, seed) {
  const requests = [];
  for (let at = 0; at < count; at += 1) {
    const random = new Random(seed * 1_000_003 + at);
    const writer = new Writer(random);
    const kind = random.of(["query", "query", "query", "query", "query", "query", "mutation", "mutation", "subscription"]);
    const valid = writer.document(kind);
    const query = random.chance(0.4) ? valid : mutated(valid, random);
    for (let set = 0; set < VARIABLE_SETS; set += 1) {
      const variables = writer.values(set > 0);
      requests.push({ rule: `generated ${kind}`, seed: `${seed}/${at}`, query, variables });
      // Without variables one request is as good as four.
      if (writer.variables.length === 0) break;
    }
  }
  return requests;
}

class Writer {
  /** @type {{ name: string, type: object, hasDefault: boolean }[]} */
  variables = [];
  #random;
  #fragments = [];
  #lastName = 0;

  constructor(random) {
    this.#random = random;
  }

  #name(letter) {
    return `${letter}${(this.#lastName += 1)}`;
  }

  document(kind) {
    const type = { query: schema.getQueryType(), mutation: schema.getMutationType(), subscription: schema.getSubscriptionType() }[kind];
    const roots = kind === "subscription" ? 1 : 1 + this.#random.below(2);
    const selections = Array.from({ length: roots }, () => this.#field(type, 0));
    let set = `{ ${selections.join(" ")} }`;
    if (this.#random.chance(0.25)) set = `{ ${this.#wrapped(type, set, kind !== "subscription")} }`;
    const declared = this.variables.map(({ name, type: of, text }) => `$${name}: ${of}${text}`);
    const operation = `${kind}${this.#random.chance(0.5) ? " Q" : ""}${declared.length > 0 ? `(${declared.join(", ")})` : ""} ${set}`;
    return [kind === "query" && declared.length === 0 && this.#random.chance(0.3) ? set : operation, ...this.#fragments].join("\n");
  }

  /** The selection as an inline fragment or by a named one. */
  #wrapped(type, set, directives = true) {
    const directive = directives ? this.#directive() : "";
    if (this.#random.chance(0.5)) return `...${this.#random.chance(0.7) ? ` on ${type.name}` : ""}${directive} ${set}`;
    const name = this.#name("F");
    this.#fragments.push(`fragment ${name} on ${type.name} ${set}`);
    return `...${name}${directive}`;
  }

  #directive() {
    if (!this.#random.chance(0.12)) return "";
    const name = this.#random.of(["skip", "include"]);
    const condition = this.#random.chance(0.5) ? this.#variable("Boolean!") : this.#random.of(["true", "false"]);
    return ` @${name}(if: ${condition})`;
  }

  #field(type, depth) {
    const all = Object.values(type.getFields()).filter(({ name, type: of }) => !AVOIDED.has(name) && (depth < MAX_DEPTH || isLeafType(getNamedType(of))));
    if (all.length === 0) return "__typename";
    const field = this.#random.of(all);
    const alias = depth > 0 && this.#random.chance(0.1) ? `${this.#name("a")}: ` : "";
    const values = this.#arguments(field);
    const directive = depth > 0 || type === schema.getQueryType() ? this.#directive() : "";
    const of = getNamedType(field.type);
    return `${alias}${field.name}${values}${directive}${isCompositeType(of) ? ` ${this.#selections(of, depth + 1)}` : ""}`;
  }

  #selections(type, depth) {
    const selections = isAbstractType(type) ? ["__typename"] : [];
    const count = 1 + this.#random.below(3);
    for (let at = 0; at < count; at += 1) {
      if (isAbstractType(type) && this.#random.chance(0.6)) {
        const possible = this.#random.of(schema.getPossibleTypes(type));
        selections.push(this.#wrapped(possible, `{ ${this.#member(possible, depth)} }`));
      } else {
        const selection = this.#member(type, depth);
        selections.push(this.#random.chance(0.12) ? this.#wrapped(type, `{ ${selection} }`) : selection);
      }
    }
    return `{ ${selections.join(" ")} }`;
  }

  #member(type, depth) {
    return this.#random.chance(0.1) ? "__typename" : this.#field(type, depth);
  }

  #arguments(field) {
    const given = field.args.filter((arg) => isRequiredArgument(arg) || this.#random.chance(0.35));
    // Without it every list would have 20 entries of 20 entries.
    const first = field.args.find(({ name }) => name === "first");
    if (first && !given.some(({ name }) => name === "first" || name === "last")) given.push(first);
    const texts = given.filter(({ name }) => !(name === "last" && given.includes(first))).map(({ name, type }) => {
      const value = this.#random.chance(0.4) ? this.#variable(String(type)) : this.#literal(type, name);
      return `${name}: ${value}`;
    });
    return texts.length > 0 ? `(${texts.join(", ")})` : "";
  }

  /** A literal of a type. */
  #literal(type, name = "") {
    if (isNonNullType(type)) return this.#literal(type.ofType, name);
    if (isListType(type)) return this.#random.chance(0.2) ? this.#literal(type.ofType, name) : `[${[0, 1].map(() => this.#literal(type.ofType, name)).join(", ")}]`;
    if (isEnumType(type)) return this.#random.of(type.getValues()).name;
    if (isInputObjectType(type)) return `{ ${Object.values(type.getFields()).map((field) => `${field.name}: ${this.#literal(field.type)}`).join(", ")} }`;
    return this.#random.of({
      Int: ["1", "2", "3"],
      ID: name === "roomId" || name === "room" ? ['"ROOM"'] : ['"ROOM"', '"USER"', '"MESSAGE"', '"ROOM"', "1"],
      String: ['"a"', '""', '"""block"""', '"\\u0041"'],
      Boolean: ["true", "false"],
      Cursor: ['"garbage"'],
      DateTime: ['"2001-01-01T00:00:00Z"', '"2101-01-01T00:00:00.5+02:00"', '"yesterday"'],
      JSON: ["{}", "{ a: 1 }", "{ a: null, b: [true, \"x\"] }"],
    }[type.name]);
  }

  /** A new variable that fits where this type is expected, or one that is there already. */
  #variable(expected) {
    const same = this.variables.find((variable) => variable.expected === expected);
    if (same && this.#random.chance(0.5)) return `$${same.name}`;
    const name = this.#name("v");
    const nullable = expected.endsWith("!") ? expected.slice(0, -1) : expected;
    const named = schema.getType(nullable.replaceAll(/[[\]!]/g, ""));
    const literal = nullable.startsWith("[") ? `[${this.#literal(named)}]` : this.#literal(named);
    const [type, text] = this.#random.of([
      [expected, ""],
      [expected, ""],
      [`${nullable}!`, ""],
      [nullable, ` = ${literal}`],
      [`${nullable}!`, ` = ${literal}`],
    ]);
    this.variables.push({ name, expected, type, text });
    return `$${name}`;
  }

  /** Values for the variables as JSON: what fits, or, if `odd`, sometimes what doesn't. */
  values(odd) {
    if (this.variables.length === 0 && this.#random.chance(0.5)) return undefined;
    const members = this.variables.flatMap(({ name, type, text }) => {
      if (text && this.#random.chance(0.3)) return [];
      if (odd && this.#random.chance(0.12)) return [];
      const value = odd && this.#random.chance(0.3) ? this.#random.of(ODD) : this.#value(type);
      return [`"${name}":${value}`];
    });
    if (odd && this.#random.chance(0.1)) members.push('"unknown":1');
    return `{${members.join(",")}}`;
  }

  #value(type) {
    if (type.startsWith("[")) {
      const item = type.slice(1, type.lastIndexOf("]"));
      return this.#random.chance(0.2) ? this.#value(item) : `[${this.#value(item)}]`;
    }
    if (!type.endsWith("!") && this.#random.chance(0.2)) return "null";
    const named = schema.getType(type.replace("!", ""));
    if (isEnumType(named)) return JSON.stringify(this.#random.of(named.getValues()).name);
    if (isInputObjectType(named)) return `{${Object.values(named.getFields()).map((field) => `"${field.name}":${this.#value(String(field.type))}`).join(",")}}`;
    return this.#random.of({ Int: ["1", "2", "2.0"], ID: ['"ROOM"', '"USER"', "7"], String: ['"a"'], Boolean: ["true", "false"], Cursor: ['"garbage"'], DateTime: ['"2001-01-01T00:00:00Z"'], JSON: ["{}", '{"a":1}'] }[named.name]);
  }
}

/** Values that fit some types and not others. */
const ODD = ["null", "1", "1.0", "1.5", "-1", '"1"', '"a"', '""', "true", "[]", "[1]", '["USER"]', "[null]", "{}", '{"a":1}', "2147483648", "18446744073709551616", '"CONSUMER_TO_CONSUMER"', "[[1]]", "1e2"];
