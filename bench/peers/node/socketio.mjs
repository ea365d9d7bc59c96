// Socket.IO by WebSocket: no GraphQL, its rooms for rooms.
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { newMessage } from './chat.mjs'
import { address, announce, readJson, sendJson } from './http.mjs'

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/graphql') return response.writeHead(404).end()
  try {
    const { variables } = await readJson(request)
    const message = newMessage(variables.room, variables.body)
    io.to(variables.room).emit('message', message)
    sendJson(response, 200, { data: { postMessage: { message: { id: message.id, seq: message.seq } } } })
  } catch (error) {
    sendJson(response, 400, { errors: [{ message: error.message }] })
  }
})

const io = new Server(server, { transports: ['websocket'] })
io.on('connection', (socket) => {
  socket.on('join', (room) => socket.join(room))
})
// Its documentation advises to let go of the first request, which is kept for each socket otherwise.
io.engine.on('connection', (socket) => {
  socket.request = null
})
server.listen(address(), () => announce(server))
