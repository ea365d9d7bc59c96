//! The protocols of sockets, and of subscriptions over HTTP.

mod dialects;
mod handshake;
mod keepalive;
mod limits;
mod operations;
mod sessions;
mod streams;
mod unread;
mod upgrade;
