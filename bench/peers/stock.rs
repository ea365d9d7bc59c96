//! async-graphql and async-graphql-axum as their documentation has them: each subscriber's operation is executed for
//! each message.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ID, Object, Result, Schema, SimpleObject, Subscription};
use async_graphql_axum::{GraphQL, GraphQLSubscription};
use axum::Router;
use axum::routing::get_service;
use futures_util::{Stream, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

mod chat;

#[tokio::main]
async fn main() -> io::Result<()> {
    let schema = Schema::build(Query, Mutation, Subscription).data(Rooms::default()).finish();
    let endpoint = get_service(GraphQLSubscription::new(schema.clone())).post_service(GraphQL::new(schema));
    chat::serve(Router::new().route("/graphql", endpoint)).await
}

/// All rooms, each made when it is first named.
#[derive(Default)]
struct Rooms {
    rooms: Mutex<HashMap<ID, Room>>,
}

/// One room, and the way to its subscribers.
struct Room {
    /// The number of its last message.
    seq: i64,
    posted: Sender<Arc<Message>>,
}

impl Rooms {
    fn with<T>(&self, id: &ID, then: impl FnOnce(&mut Room) -> T) -> T {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Room { seq: 0, posted: broadcast::channel(chat::CAPACITY).0 };
        then(rooms.entry(id.clone()).or_insert_with(new))
    }

    fn post(&self, room: &ID, body: String) -> Arc<Message> {
        self.with(room, |open| {
            open.seq += 1;
            let message = Arc::new(Message::new(open.seq, room, body));
            // It fails if nobody has subscribed.
            let _ = open.posted.send(message.clone());
            message
        })
    }

    fn subscribe(&self, room: &ID) -> Receiver<Arc<Message>> {
        self.with(room, |open| open.posted.subscribe())
    }
}

/// A message as its subscribers see it.
#[derive(SimpleObject)]
struct Message {
    id: ID,
    seq: i64,
    body: String,
    created_at: String,
    author: User,
    room: RoomRef,
}

/// The author of a message.
#[derive(SimpleObject)]
struct User {
    id: ID,
    username: &'static str,
    display_name: &'static str,
}

/// The room of a message.
#[derive(SimpleObject)]
#[graphql(name = "Room")]
struct RoomRef {
    id: ID,
}

impl Message {
    fn new(seq: i64, room: &ID, body: String) -> Self {
        Self {
            id: ID(chat::message_id()),
            seq,
            body,
            created_at: chat::created_at(),
            author: User {
                id: ID(chat::AUTHOR_ID.to_owned()),
                username: chat::AUTHOR_USERNAME,
                display_name: chat::AUTHOR_DISPLAY_NAME,
            },
            room: RoomRef { id: room.clone() },
        }
    }
}

/// A schema has to have one; nothing here is asked for.
struct Query;

#[Object]
impl Query {
    async fn ready(&self) -> bool {
        true
    }
}

/// What a post answers.
#[derive(SimpleObject)]
struct PostMessagePayload {
    message: Arc<Message>,
}

/// Posting.
struct Mutation;

#[Object]
impl Mutation {
    #[expect(clippy::unused_async, reason = "the macro takes no other")]
    async fn post_message(
        &self,
        ctx: &Context<'_>,
        room_id: ID,
        body: String,
        client_id: Option<ID>,
    ) -> Result<PostMessagePayload> {
        // No post is ever repeated here.
        drop(client_id);
        Ok(PostMessagePayload { message: ctx.data::<Rooms>()?.post(&room_id, body) })
    }
}

/// Being told of posts.
struct Subscription;

#[Subscription]
impl Subscription {
    #[expect(clippy::unused_async, reason = "the macro takes no other")]
    async fn message_posted(&self, ctx: &Context<'_>, room_id: ID) -> Result<impl Stream<Item = Arc<Message>>> {
        let posted = ctx.data::<Rooms>()?.subscribe(&room_id);
        Ok(stream::unfold(posted, async |mut posted| {
            loop {
                match posted.recv().await {
                    Ok(message) => return Some((message, posted)),
                    // One who has left too many untaken goes on with what there still is.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        }))
    }
}
