// What all peers have in common: the schema, who posts, and a message.
import { randomFillSync } from 'node:crypto'

/** The part of Parlor's schema that is measured. */
export const typeDefs = `
  type Query {
    ready: Boolean!
  }
  type Mutation {
    postMessage(roomId: ID!, body: String!, clientId: ID): PostMessagePayload!
  }
  type Subscription {
    messagePosted(roomId: ID!): Message!
  }
  type PostMessagePayload {
    message: Message!
  }
  type Message {
    id: ID!
    seq: Int!
    body: String!
    createdAt: String!
    author: User!
    room: Room!
  }
  type User {
    id: ID!
    username: String!
    displayName: String!
  }
  type Room {
    id: ID!
  }
`

/** The one who posts everything. */
export const author = { id: 'user_01m818ah47eg1v906mzqxdbavx', username: 'ann', displayName: 'Ann' }

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/** A new message id: the milliseconds of now and 80 random bits, in base 32, as Parlor writes them. */
export function messageId() {
  const bytes = Buffer.allocUnsafe(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  randomFillSync(bytes, 6)
  bytes[6] = (bytes[6] & 0x0f) | 0x70
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  // 128 bits are 26 digits of five, the first of which holds three.
  let [text, held, bits] = ['', 0, 2]
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[held >> bits]
      held &= (1 << bits) - 1
    }
  }
  return `msg_${text}`
}

/** Now, as RFC 3339 with microseconds. */
export function createdAt() {
  const now = performance.timeOrigin + performance.now()
  const micros = Math.floor(now * 1000) % 1000
  return `${new Date(now).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}

const seqs = new Map()

/** The next message of a room, which is made when it is first named. */
export function newMessage(roomId, body) {
  const seq = (seqs.get(roomId) ?? 0) + 1
  seqs.set(roomId, seq)
  return { id: messageId(), seq, body, createdAt: createdAt(), author, room: { id: roomId } }
}
