// Apollo Server on Express, with graphql-ws and PubSub for subscriptions.
import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer'
import { expressMiddleware } from '@as-integrations/express5'
import { makeExecutableSchema } from '@graphql-tools/schema'
import cors from 'cors'
import express from 'express'
import { PubSub } from 'graphql-subscriptions'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { newMessage, typeDefs } from './chat.mjs'
import { address, announce } from './http.mjs'

// The emitter takes more than ten listeners for a leak, and says so.
const pubsub = new PubSub({ eventEmitter: new EventEmitter().setMaxListeners(0) })

const resolvers = {
  Mutation: {
    async postMessage(_, { roomId, body }) {
      const message = newMessage(roomId, body)
      await pubsub.publish(roomId, { messagePosted: message })
      return { message }
    },
  },
  Subscription: {
    messagePosted: {
      subscribe: (_, { roomId }) => pubsub.asyncIterableIterator(roomId),
    },
  },
}

const schema = makeExecutableSchema({ typeDefs, resolvers })
const app = express()
const server = createServer(app)
const sockets = useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }))
const apollo = new ApolloServer({
  schema,
  plugins: [
    ApolloServerPluginDrainHttpServer({ httpServer: server }),
    { serverWillStart: async () => ({ drainServer: async () => sockets.dispose() }) },
  ],
})
await apollo.start()
app.use('/graphql', cors(), express.json(), expressMiddleware(apollo))
server.listen(address(), () => announce(server))
