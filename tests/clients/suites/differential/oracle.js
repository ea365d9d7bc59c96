/** What graphql-js, the reference implementation, says about a request to this schema. */
import { readFileSync } from "node:fs";
import {
  GraphQLError,
  Kind,
  VariablesInAllowedPositionRule,
  buildSchema,
  execute,
  getNamedType,
  isAbstractType,
  parse,
  specifiedRules,
  validate,
  validateExecutionArgs,
  visit,
} from "graphql-17";

const TYPES_OF_IDS = { user: "User", room: "Room", msg: "Message" };

export const sdl = readFileSync(new URL("../../../../schema.graphql", import.meta.url), "utf8");
export const schema = buildSchema(sdl);

// Whatever the values of a scalar are, the SDL doesn't say.
const isMoment = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text);
for (const [name, fits] of [["Cursor", () => true], ["DateTime", isMoment]]) {
  const scalar = schema.getType(name);
  const asText = (value) => {
    if (typeof value !== "string" || !fits(value)) throw new GraphQLError(`this is no ${name}`);
    return value;
  };
  scalar.parseValue = scalar.coerceInputValue = asText;
  scalar.parseLiteral = (node) => asText(node.kind === Kind.STRING ? node.value : undefined);
  scalar.coerceInputLiteral = scalar.parseLiteral;
}

/**
 * Whether a request may run: `refusal` is why not, if it may not.
 *
 * @param {string} query
 * @param {string | undefined} variables as JSON
 * @param {string} [operationName]
 * @returns {{ refusal: string } | { args: object, operation: object }}
 */
export function judge(query, variables, operationName) {
  let document;
  try {
    document = parse(query, { allowEmptySelectionSets: false });
  } catch (error) {
    return { refusal: `syntax: ${error.message}` };
  }
  const faults = validate(schema, document, specifiedRules, { maxErrors: 5 });
  if (faults.length > 0) return { refusal: faults[0].message };
  const args = { schema, document, operationName, variableValues: variables === undefined ? undefined : JSON.parse(variables) };
  const valid = validateExecutionArgs(args);
  if (!("schema" in valid)) return { refusal: valid[0].message };
  return { args, operation: valid.operation };
}

/**
 * Whether null is given for a variable that may be null only because it has a default: in the place where it is used,
 * null is an error, which graphql-js finds when it comes there, and others may find before anything runs.
 */
export function isNullWhereNotNull({ document, variableValues }) {
  const given = (name) => variableValues?.[name] === null;
  const undefaulted = visit(document, {
    VariableDefinition: (node) => (given(node.variable.name.value) ? { ...node, defaultValue: undefined } : undefined),
  });
  return validate(schema, undefaulted, [VariablesInAllowedPositionRule]).length > 0;
}

/**
 * What graphql-js makes of the server's own data: every field is read from where the server put it, so the result
 * differs in nothing but in what execution decides: which fields there are, in which order, and which are null because
 * their arguments can't be coerced.
 *
 * @param {object} args of {@link judge}
 * @param {object} data the server's
 */
export function executedOn(args, data) {
  return execute({ ...args, rootValue: data, fieldResolver: answered, typeResolver: typeOf });
}

function answered(source, values, _context, info) {
  const value = source[info.path.key];
  const type = getNamedType(info.returnType);
  if (!isAbstractType(type) || type.name !== "Node") return value;
  const typed = (object, id) => object && { ...object, __typename: TYPES_OF_IDS[String(id).split("_")[0]] ?? "User" };
  return Array.isArray(value) ? value.map((object, at) => typed(object, [values.ids].flat()[at])) : typed(value, values.id);
}

function typeOf(value) {
  return value.__typename;
}
