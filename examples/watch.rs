//! A small client: follows the events of one user, prints a line for each, and resumes after the last one when the
//! connection is lost.

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const EVENTS: &str = "subscription { events { __typename cursor
    ... on MessagePosted { message { ...Text } }
    ... on MessageEdited { message { ...Text } }
    ... on MessageDeleted { message { ...Text } }
    ... on ReadMarksMoved { marks { user { displayName } seq } }
} }
fragment Text on Message { seq body author { displayName } }";

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// The server refuses the token: connecting again would not help.
const FORBIDDEN: u16 = 4403;

/// Prints what happens in a user's rooms, one line per event.
#[derive(Parser)]
struct Options {
    /// URL of the server: ws://…/graphql
    url: String,
    /// Access token of the user
    #[arg(long)]
    token: String,
    /// Cursor to begin after [default: now]
    #[arg(long)]
    after: Option<String>,
    /// Text at the beginning of each line
    #[arg(long, default_value = "watch")]
    name: String,
    /// Exit after this many events
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    loop {
        match follow(&mut options).await? {
            End::Done => return Ok(()),
            End::Lost(reason) => eprintln!("{}: {reason}; connecting again", options.name),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

enum End {
    /// As many events were printed as the options ask for.
    Done,
    /// The connection is gone; the next one resumes after the last event.
    Lost(String),
}

/// One connection from its beginning to its end. `options` keeps the cursor to resume from.
async fn follow(options: &mut Options) -> Result<End, Box<dyn Error>> {
    let mut request = options.url.as_str().into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let mut socket = match connect_async(request).await {
        Ok((socket, _)) => socket,
        Err(error) => return Ok(End::Lost(error.to_string())),
    };
    let who = json!({ "authorization": format!("Bearer {}", options.token) });
    let init = json!({ "type": "connection_init", "payload": who });
    let events = json!({ "query": EVENTS, "extensions": { "after": options.after } });
    let subscribe = json!({ "type": "subscribe", "id": "events", "payload": events });
    if let Err(error) = socket.send(Message::text(init.to_string())).await {
        return Ok(End::Lost(error.to_string()));
    }
    while let Some(frame) = socket.next().await {
        let text = match frame {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(Some(close))) if u16::from(close.code) == FORBIDDEN => {
                return Err(format!("the server refuses the token: {}", close.reason).into());
            }
            Ok(Message::Close(close)) => return Ok(End::Lost(format!("closed: {close:?}"))),
            Ok(_) => continue,
            Err(error) => return Ok(End::Lost(error.to_string())),
        };
        let message: Value = serde_json::from_str(&text)?;
        match message["type"].as_str() {
            // If this can't be sent, the next read returns the reason.
            Some("connection_ack") => drop(socket.send(Message::text(subscribe.to_string())).await),
            Some("next") => {
                let event = &message["payload"]["data"]["events"];
                if let Some(cursor) = event["cursor"].as_str() {
                    options.after = Some(cursor.to_owned());
                }
                if ["PresenceChanged", "UserChanged", "TypingChanged"].iter().any(|kind| event["__typename"] == *kind) {
                    continue;
                }
                if event["__typename"] == "Synced" {
                    eprintln!("{}: listening", options.name);
                    continue;
                }
                println!("{}: {}", options.name, line(event));
                options.count = options.count.map(|count| count - 1);
                if options.count == Some(0) {
                    return Ok(End::Done);
                }
            }
            _ => return Err(text.to_string().into()),
        }
    }
    Ok(End::Lost("the connection ended".to_owned()))
}

/// An event in a few words.
fn line(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("somebody").to_owned();
    let kind = text(&event["__typename"]);
    if let message @ Value::Object(_) = &event["message"] {
        let (author, body) = (text(&message["author"]["displayName"]), text(&message["body"]));
        return format!("{kind} #{} {author}: {body}", message["seq"]);
    }
    let marks = event["marks"].as_array().into_iter().flatten();
    marks.fold(kind, |line, mark| format!("{line} {} #{}", text(&mark["user"]["displayName"]), mark["seq"]))
}
