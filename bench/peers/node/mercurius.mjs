// Fastify with Mercurius and its own emitter.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { newMessage, typeDefs } from './chat.mjs'
import { address, announce } from './http.mjs'

const resolvers = {
  Mutation: {
    async postMessage(_, { roomId, body }, { pubsub }) {
      const message = newMessage(roomId, body)
      await pubsub.publish({ topic: roomId, payload: { messagePosted: message } })
      return { message }
    },
  },
  Subscription: {
    messagePosted: {
      subscribe: (_, { roomId }, { pubsub }) => pubsub.subscribe(roomId),
    },
  },
}

const app = Fastify()
app.register(mercurius, { schema: typeDefs, resolvers, subscription: true, jit: 1 })
await app.listen(address())
announce(app.server)
