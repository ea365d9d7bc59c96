//! The socket's protocol: each row of the design's table of transport.

mod handshake;
mod keepalive;
mod limits;
mod operations;
mod sessions;
mod unread;
