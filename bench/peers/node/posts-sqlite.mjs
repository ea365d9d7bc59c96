// SQLite through better-sqlite3: a post has ended when it is on the disk.
import Database from 'better-sqlite3'
import { author, createdAt, messageId } from './chat.mjs'

/** Opens the file, and makes it and its tables if they are missing. */
export function open(path) {
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec(`
    CREATE TABLE IF NOT EXISTS peer_room (id TEXT PRIMARY KEY, last_seq INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS peer_message (
      id TEXT PRIMARY KEY,
      room_id TEXT NOT NULL REFERENCES peer_room (id),
      seq INTEGER NOT NULL,
      author_id TEXT NOT NULL,
      body TEXT NOT NULL,
      created_at TEXT NOT NULL,
      UNIQUE (room_id, seq)
    );
  `)
  const move = database.prepare(`
    INSERT INTO peer_room (id, last_seq) VALUES (?, 1)
    ON CONFLICT (id) DO UPDATE SET last_seq = last_seq + 1
    RETURNING last_seq AS seq
  `)
  const insert = database.prepare(
    'INSERT INTO peer_message (id, room_id, seq, author_id, body, created_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const post = database.transaction((roomId, body) => {
    const { seq } = move.get(roomId)
    const message = { id: messageId(), seq, body, createdAt: createdAt(), author, room: { id: roomId } }
    insert.run(message.id, roomId, seq, author.id, body, message.createdAt)
    return message
  })
  return { post: post.immediate }
}
