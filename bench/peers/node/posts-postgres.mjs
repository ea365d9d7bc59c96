// PostgreSQL through a pool of pg: one prepared statement, which is a transaction of its own, for each post.
import pg from 'pg'
import { author, createdAt, messageId } from './chat.mjs'

const CONNECTIONS = 10

const POST = `
  WITH moved AS (
    INSERT INTO peer_room (id, last_seq) VALUES ($2, 1)
    ON CONFLICT (id) DO UPDATE SET last_seq = peer_room.last_seq + 1
    RETURNING last_seq
  )
  INSERT INTO peer_message (id, room_id, seq, author_id, body, created_at)
  SELECT $1, $2, last_seq, $3, $4, $5::timestamptz FROM moved
  RETURNING seq
`

/** Connects, and makes the tables if they are missing. */
export async function open(connectionString) {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS })
  await pool.query(`
    CREATE TABLE IF NOT EXISTS peer_room (id text PRIMARY KEY, last_seq integer NOT NULL);
    CREATE TABLE IF NOT EXISTS peer_message (
      id text PRIMARY KEY,
      room_id text NOT NULL,
      seq integer NOT NULL,
      author_id text NOT NULL,
      body text NOT NULL,
      created_at timestamptz NOT NULL,
      UNIQUE (room_id, seq)
    );
  `)
  async function post(roomId, body) {
    const message = { id: messageId(), seq: 0, body, createdAt: createdAt(), author, room: { id: roomId } }
    const values = [message.id, roomId, author.id, body, message.createdAt]
    const { rows } = await pool.query({ name: 'post', text: POST, values })
    message.seq = rows[0].seq
    return message
  }
  return { post }
}
