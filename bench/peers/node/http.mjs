// What the peers need of HTTP and of their command line.
import { parseArgs } from 'node:util'

/** The arguments: where to listen, and what else the peer knows. */
export function parseArguments(others = {}) {
  return parseArgs({ options: { listen: { type: 'string' }, ...others } }).values
}

/** Where `--listen 127.0.0.1:PORT` says. */
export function address({ listen } = parseArguments()) {
  const [, host, port] = /^(.+):(\d+)$/.exec(listen ?? '') ?? []
  if (!host) throw new Error('--listen HOST:PORT is missing')
  return { host, port: Number(port) }
}

/** Says on stdout where a `node:http` server listens. */
export function announce(server) {
  const { address: host, port } = server.address()
  console.log(`listening on ${host}:${port}`)
}

/** The JSON in a request's body. */
export async function readJson(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

/** Answers with JSON. */
export function sendJson(response, status, value) {
  const text = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
