//! The limit of posting and reading: what is left of the work when everything is taken away that a client doesn't see.
//! It works on a database of Parlor's, on which no Parlor runs meanwhile. It writes the same rows, synced alike, and
//! answers the documents of the bench with the same JSON.
//!
//! | File | Holds |
//! |---|---|
//! | `writer` | the one thread that posts, many at a time |
//! | `reader` | a list of rooms, and a page of messages |
//! | `answer` | the JSON |
//!
//! No document is parsed: the server knows five, and tells them apart by a word. Nobody is notified of a post. Tokens are
//! looked up in memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clap::Parser;
use parlor::ids::{RoomId, UserId};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

mod answer;
#[path = "../chat.rs"]
#[expect(dead_code, reason = "shared with the peers that deliver")]
mod chat;
mod reader;
mod writer;

use answer::{Answer, Errors};
use writer::{Post, Writer};

#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 is any that is free
    #[arg(long)]
    listen: String,
    /// The SQLite file
    #[arg(long)]
    database: PathBuf,
    /// A file of lines: an access token, a space, and the id of the user whose it is
    #[arg(long)]
    tokens: PathBuf,
}

/// What went wrong. None of it happens while the server is measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Server {
    tokens: HashMap<String, UserId>,
    database: PathBuf,
    writer: Writer,
}

/// A request, as the load sends it.
#[derive(Deserialize)]
struct Request<'r> {
    #[serde(borrow)]
    query: Cow<'r, str>,
    #[serde(borrow)]
    variables: Option<Variables<'r>>,
}

/// The variables of all documents together.
#[derive(Default, Deserialize)]
struct Variables<'r> {
    room: Option<&'r str>,
    body: Option<String>,
    client: Option<String>,
    first: Option<i32>,
    last: Option<i32>,
    from: Option<i32>,
    to: Option<i32>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let Arguments { listen, database, tokens } = Arguments::parse();
    let tokens = std::fs::read_to_string(tokens)?;
    let tokens = tokens.lines().filter_map(|line| {
        let (token, user) = line.split_once(' ')?;
        Some((format!("Bearer {token}"), user.parse().ok()?))
    });
    let writer = Writer::start(&database).map_err(io::Error::other)?;
    let server = Server { tokens: tokens.collect(), database, writer };
    chat::listen(&listen, Router::new().route("/graphql", post(answer)).with_state(Arc::new(server))).await
}

async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(user) = bearer.and_then(|bearer| server.tokens.get(bearer)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match server.execute(*user, &body).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/graphql-response+json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Server {
    async fn execute(&self, user: UserId, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let Request { query, variables } = serde_json::from_slice(request)?;
        let asked = variables.unwrap_or_default();
        if query.starts_with("mutation") {
            return self.post(user, asked).await;
        }
        if query.contains("rooms(") {
            return self.read(|database| reader::rooms(database, user, asked.first.unwrap_or(20)));
        }
        if query.contains("messages(") {
            let room = room(&asked)?;
            return self.read(|database| reader::messages(database, user, room, reader::Range::of(&asked)));
        }
        if query.contains("me {") {
            return self.read(|database| reader::me(database, user));
        }
        json(&answer::Typename { name: "Query" })
    }

    async fn post(&self, author: UserId, asked: Variables<'_>) -> Result<Vec<u8>, Failure> {
        let room = room(&asked)?;
        let body = asked.body.ok_or("no body")?;
        match self.writer.post(Post { author, room, body, client: asked.client }).await? {
            Some(message) => json(&answer::PostMessage::of(message)),
            None => Ok(serde_json::to_vec(&Errors::not_found())?),
        }
    }

    /// Reads on the thread that serves the connection, by a connection of its own: rows are in memory, and handing the work
    /// to another thread would cost more than it.
    fn read<A: Serialize>(
        &self,
        read: impl FnOnce(&Connection) -> Result<Option<A>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        match reader::with(&self.database, read)? {
            Some(data) => json(&data),
            None => Ok(serde_json::to_vec(&Errors::not_found())?),
        }
    }
}

fn room(asked: &Variables<'_>) -> Result<RoomId, Failure> {
    Ok(asked.room.ok_or("no room")?.parse()?)
}

fn json(data: &impl Serialize) -> Result<Vec<u8>, Failure> {
    Ok(serde_json::to_vec(&Answer { data })?)
}
