//! The servers that are compared: Parlor, and small ones written for this, all doing the same work.

use std::io;
use std::path::Path;

use tokio::process::Command;

use crate::server::{Server, parlor, sibling};
use crate::sockets::Dialect;

/// New messages of one room, with what a chat shows of each.
pub const SUBSCRIBE_ONE: &str = "subscription ($room: ID!) { messagePosted(roomId: $room) { \
    id seq body createdAt author { id username displayName } room { id } } }";

/// Everything that happens to the viewer, with the same of each message, and the cursor to resume from.
const EVENTS: &str = "subscription { events { __typename cursor ... on MessagePosted { message { \
    id seq body createdAt author { id username displayName } room { id } } } } }";

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is called in tables.
    pub name: &'static str,
    kind: Kind,
    /// How it is subscribed to.
    dialect: Subscription,
    /// Frames that a socket gets before anything was posted.
    pub greetings: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Parlor,
    /// A binary of this workspace.
    Rust(&'static str),
    /// A script in `bench/peers/node`.
    Node(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscription {
    Room,
    Everything,
    SocketIo,
}

/// WebSocket alone: the limit.
pub const RAW: Subject =
    Subject { name: "raw axum", kind: Kind::Rust("peer-raw"), dialect: Subscription::Room, greetings: 0 };

/// Parlor, by the subscription that all others have too.
pub const PARLOR: Subject =
    Subject { name: "Parlor, `messagePosted`", kind: Kind::Parlor, dialect: Subscription::Room, greetings: 0 };

/// Parlor, by the subscription that can be resumed; its first event is `Synced`.
pub const PARLOR_EVENTS: Subject =
    Subject { name: "Parlor, `events`", kind: Kind::Parlor, dialect: Subscription::Everything, greetings: 1 };

/// async-graphql as it comes.
pub const STOCK: Subject =
    Subject { name: "stock async-graphql", kind: Kind::Rust("peer-stock"), dialect: Subscription::Room, greetings: 0 };

/// graphql-js with graphql-ws.
pub const GRAPHQL_WS: Subject = Subject {
    name: "graphql-js + graphql-ws",
    kind: Kind::Node("graphql-ws"),
    dialect: Subscription::Room,
    greetings: 0,
};

/// Mercurius.
pub const MERCURIUS: Subject =
    Subject { name: "mercurius", kind: Kind::Node("mercurius"), dialect: Subscription::Room, greetings: 0 };

/// Apollo Server.
pub const APOLLO: Subject =
    Subject { name: "Apollo Server", kind: Kind::Node("apollo"), dialect: Subscription::Room, greetings: 0 };

/// Socket.IO.
pub const SOCKET_IO: Subject =
    Subject { name: "socket.io", kind: Kind::Node("socketio"), dialect: Subscription::SocketIo, greetings: 0 };

/// All but the limit and Parlor.
pub const OTHERS: [Subject; 5] = [STOCK, SOCKET_IO, MERCURIUS, GRAPHQL_WS, APOLLO];

/// Every one of them.
pub const ALL: [Subject; 8] = [RAW, PARLOR, PARLOR_EVENTS, STOCK, SOCKET_IO, MERCURIUS, GRAPHQL_WS, APOLLO];

impl Subject {
    /// Whether it runs on Node.
    pub fn is_node(self) -> bool {
        matches!(self.kind, Kind::Node(_))
    }

    /// Whether it is one of the usual GraphQL servers on Node, of which a factor is asked.
    pub fn is_usual(self) -> bool {
        self.is_node() && self.dialect == Subscription::Room
    }

    /// How sockets subscribe.
    pub fn dialect(self) -> Dialect {
        match self.dialect {
            Subscription::Room => Dialect::GraphQl(SUBSCRIBE_ONE),
            Subscription::Everything => Dialect::GraphQl(EVENTS),
            Subscription::SocketIo => Dialect::SocketIo,
        }
    }

    /// Starts it. Parlor finds its data in `data`.
    pub async fn start(self, data: &Path) -> io::Result<Server> {
        Server::start(match self.kind {
            Kind::Parlor => parlor(&sibling("parlor"), data, None, &[]),
            Kind::Rust(name) => peer(Command::new(sibling(name))),
            Kind::Node(name) => peer(node(name)),
        })
        .await
    }
}

/// The command that runs a script of `bench/peers/node`.
pub fn node(name: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node").join(format!("{name}.mjs")));
    command.env("NODE_ENV", "production");
    command
}

/// On a port of its own.
pub fn peer(mut command: Command) -> Command {
    command.args(["--listen", "127.0.0.1:0"]);
    command
}
