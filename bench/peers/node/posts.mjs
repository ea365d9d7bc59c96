// Posts that last: plain HTTP, graphql-js with its documents kept, and one durable transaction for each post.
import { createServer } from 'node:http'
import { buildSchema, execute, parse, validate } from 'graphql'
import { typeDefs } from './chat.mjs'
import { address, announce, parseArguments, readJson, sendJson } from './http.mjs'

const options = parseArguments({ database: { type: 'string' } })
const [, kind, path] = /^(sqlite|postgres|postgresql):(.*)$/.exec(options.database ?? '') ?? []
if (!kind) throw new Error('--database sqlite:PATH or --database postgres://… is missing')
const database =
  kind === 'sqlite'
    ? (await import('./posts-sqlite.mjs')).open(path)
    : await (await import('./posts-postgres.mjs')).open(options.database)

const schema = buildSchema(typeDefs)
const rootValue = {
  async postMessage({ roomId, body }) {
    return { message: await database.post(roomId, body) }
  },
}

const documents = new Map()

/** A document and what is wrong with it, both found out once. */
function admit(query) {
  let known = documents.get(query)
  if (!known) {
    const document = parse(query)
    known = { document, errors: validate(schema, document) }
    if (documents.size < 1000) documents.set(query, known)
  }
  return known
}

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/graphql') return response.writeHead(404).end()
  try {
    const { query, variables } = await readJson(request)
    const { document, errors } = admit(query)
    if (errors.length > 0) return sendJson(response, 400, { errors })
    sendJson(response, 200, await execute({ schema, document, rootValue, variableValues: variables }))
  } catch (error) {
    sendJson(response, 400, { errors: [{ message: error.message }] })
  }
})
server.listen(address(options), () => announce(server))
