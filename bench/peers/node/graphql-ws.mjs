// graphql-js with graphql-ws and ws; posts by graphql-http.
import { createServer } from 'node:http'
import { buildSchema } from 'graphql'
import { createHandler } from 'graphql-http/lib/use/http'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { newMessage, typeDefs } from './chat.mjs'
import { address, announce } from './http.mjs'
import { publish, subscribe } from './topics.mjs'

const schema = buildSchema(typeDefs)

const mutation = {
  postMessage({ roomId, body }) {
    const message = newMessage(roomId, body)
    publish(roomId, { messagePosted: message })
    return { message }
  },
}

const subscription = {
  messagePosted: ({ roomId }) => subscribe(roomId),
}

const handler = createHandler({ schema, rootValue: mutation })
const server = createServer((request, response) => {
  if (request.url === '/graphql') handler(request, response)
  else response.writeHead(404).end()
})
useServer({ schema, roots: { mutation, subscription } }, new WebSocketServer({ server, path: '/graphql' }))
server.listen(address(), () => announce(server))
