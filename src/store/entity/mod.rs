//! One file per table: its row, and the finders through which the rest of the crate reads it.

pub mod attachment;
pub mod ban;
pub mod block;
pub mod consumer;
pub mod device;
pub mod event;
pub mod invite;
pub mod member;
pub mod message;
pub mod push_key;
pub mod pushed;
pub mod reaction;
pub mod reaction_count;
pub mod read_mark;
pub mod report;
pub mod room;
pub mod room_word;
pub mod search_state;
pub mod server_key;
pub mod session;
pub mod timer;
pub mod upload;
pub mod user;
pub mod user_word;
pub mod webhook;
pub mod webhook_failure;
