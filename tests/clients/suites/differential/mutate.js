/** Breaks a valid document in one place, mostly. What comes out may be valid all the same: graphql-js says. */
import { Kind, parse, print, visit } from "graphql-17";

const NAMES = ["id", "nothing", "__typename", "nodes", "first", "roomId", "if", "User", "Room", "Event", "Int", "ID", "String", "skip", "F1", "v1"];
const TYPES = ["Int", "Int!", "ID", "ID!", "String", "Boolean", "Boolean!", "[ID!]!", "[ID]", "[Int!]", "RoomType", "RoomType!", "Cursor", "SignUpInput", "User", "Nothing", "[[ID!]!]!"];
const LITERALS = ["null", "1", "-1", "1.0", "1e1", "99999999999", "99999999999999999999", '"a"', '"1"', '"""b"""', "true", "CONSUMER_TO_CONSUMER", "NOTHING", "[]", "[1]", "[null]", '["USER"]', "{}", "{a: 1}", "$v1", "[$v1]", "$nothing"];
const DIRECTIVES = ["@skip(if: true)", "@skip(if: false)", "@include(if: false)", "@include(if: $v1)", "@skip", "@nothing", "@deprecated", "@specifiedBy(url: \"a\")", "@skip(if: null)", "@include(if: \"true\")", "@skip(if: true, if: true)"];
const SELECTIONS = [
  "{ id }", "{ x: id x: __typename }", "{ __typename @skip(if: true) }", "{ ... { id } }", "{ ... on User { id } }", "{ ... on Room { x: type } ... on User { x: username } }", "{ ...F1 }", "{ ...Nothing }", "{ nodes { id } }", "{ id id id }", "{ x: __typename ... { x: __typename } }",
];

const value = (text) => parse(`{ a(b: ${text}) }`, { noLocation: true }).definitions[0].selectionSet.selections[0].arguments[0].value;
const type = (text) => parse(`query ($a: ${text}) { a }`, { noLocation: true }).definitions[0].variableDefinitions[0].type;
const directive = (text) => parse(`{ a ${text} }`, { noLocation: true }).definitions[0].selectionSet.selections[0].directives[0];
const selectionSet = (text) => parse(text, { noLocation: true }).definitions[0].selectionSet;
const renamed = (node, random) => ({ ...node, name: { kind: Kind.NAME, value: random.of(NAMES) } });
const without = (list, random) => list.toSpliced(random.below(list.length), 1);
const doubled = (list, random) => [...list, list[random.below(list.length)]];

/** Ways to break a node, by its kind. Each answers another node, or undefined where it doesn't apply. */
const BREAKS = {
  [Kind.FIELD]: [
    renamed,
    (node, random) => ({ ...node, alias: { kind: Kind.NAME, value: random.of(["x", "id", "nodes", "__typename"]) } }),
    (node) => ({ ...node, selectionSet: undefined }),
    (node, random) => ({ ...node, selectionSet: selectionSet(random.of(SELECTIONS)) }),
    (node, random) => ({ ...node, directives: [...(node.directives ?? []), directive(random.of(DIRECTIVES))] }),
    (node, random) => (node.arguments?.length ? { ...node, arguments: without(node.arguments, random) } : undefined),
    (node, random) => (node.arguments?.length ? { ...node, arguments: doubled(node.arguments, random) } : undefined),
    (node, random) => ({ ...node, arguments: [...(node.arguments ?? []), { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: random.of(["first", "id", "after", "nothing"]) }, value: value(random.of(LITERALS)) }] }),
  ],
  [Kind.SELECTION_SET]: [
    (node, random) => ({ ...node, selections: doubled(node.selections, random) }),
    (node, random) => (node.selections.length > 1 ? { ...node, selections: without(node.selections, random) } : undefined),
    (node, random) => ({ ...node, selections: [...node.selections, ...selectionSet(random.of(SELECTIONS)).selections] }),
    (node, random) => ({ ...node, selections: [...node.selections, { ...random.of(node.selections), alias: { kind: Kind.NAME, value: "x" } }] }),
    (node) => ({ ...node, selections: node.selections.toReversed() }),
  ],
  [Kind.ARGUMENT]: [renamed, (node, random) => ({ ...node, value: value(random.of(LITERALS)) }), (node, random) => ({ ...node, value: value(random.of(LITERALS)) })],
  [Kind.VARIABLE_DEFINITION]: [
    (node, random) => ({ ...node, type: type(random.of(TYPES)) }),
    (node, random) => ({ ...node, type: type(random.of(TYPES)) }),
    (node, random) => ({ ...node, defaultValue: value(random.of(LITERALS.filter((text) => !text.includes("$")))) }),
    (node) => ({ ...node, defaultValue: undefined }),
    (node, random) => ({ ...node, directives: [directive(random.of(DIRECTIVES.filter((text) => !text.includes("$"))))] }),
    (node, random) => ({ ...node, variable: renamed(node.variable, random) }),
  ],
  [Kind.OPERATION_DEFINITION]: [
    (node, random) => (node.variableDefinitions?.length ? { ...node, variableDefinitions: without(node.variableDefinitions, random) } : undefined),
    (node, random) => (node.variableDefinitions?.length ? { ...node, variableDefinitions: doubled(node.variableDefinitions, random) } : undefined),
    (node, random) => ({ ...node, directives: [directive(random.of(DIRECTIVES))] }),
    (node, random) => ({ ...node, operation: random.of(["query", "mutation", "subscription"]) }),
  ],
  [Kind.FRAGMENT_DEFINITION]: [renamed, (node, random) => ({ ...node, typeCondition: renamed(node.typeCondition, random) }), (node, random) => ({ ...node, directives: [directive(random.of(DIRECTIVES))] })],
  [Kind.FRAGMENT_SPREAD]: [renamed, (node, random) => ({ ...node, directives: [...(node.directives ?? []), directive(random.of(DIRECTIVES))] })],
  [Kind.INLINE_FRAGMENT]: [
    (node, random) => (node.typeCondition ? { ...node, typeCondition: renamed(node.typeCondition, random) } : undefined),
    (node, random) => ({ ...node, directives: [...(node.directives ?? []), directive(random.of(DIRECTIVES))] }),
  ],
  [Kind.VARIABLE]: [renamed],
  [Kind.DOCUMENT]: [
    (node, random) => ({ ...node, definitions: doubled(node.definitions, random) }),
    (node, random) => ({ ...node, definitions: [...node.definitions, ...parse(random.of(["fragment F9 on User { id }", "query R { me { id } }", "{ me { id } }", "fragment F1 on User { id ...F1 }", "query R($v1: Int!) { rooms(first: $v1) { nodes { id } } }"])).definitions] }),
  ],
};

/** The document with one or two things broken. */
export function mutated(text, random) {
  let document = parse(text, { noLocation: true });
  const times = random.chance(0.8) ? 1 : 2;
  for (let time = 0; time < times; time += 1) document = broken(document, random);
  return print(document);
}

function broken(document, random) {
  let count = 0;
  visit(document, { enter: (node) => void (count += BREAKS[node.kind] ? 1 : 0) });
  const chosen = random.below(count);
  let at = -1;
  return visit(document, {
    enter(node) {
      if (!BREAKS[node.kind]) return undefined;
      at += 1;
      if (at !== chosen) return undefined;
      return random.of(BREAKS[node.kind])(node, random);
    },
  });
}
