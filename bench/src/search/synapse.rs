//! The same searches on Synapse: of messages that were posted to it, for it writes its index as they come.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{REPETITIONS, SEARCH, said, searches};
use crate::databases::Kind;
use crate::delivery::POST;
use crate::http::Client;
use crate::stats::Spread;
use crate::synapse::{self, Choice, Member};
use crate::table::{Table, figure};

/// Posts so many messages to a room of each server, and searches them.
pub(super) async fn run(messages: usize) -> io::Result<Table> {
    let mut table = Table::new([
        "search of what was posted",
        "Parlor: p50, ms",
        "p99, ms",
        "found",
        "Synapse: p50, ms",
        "p99, ms",
        "found",
    ]);
    let ours = measure(Choice::Parlor, messages).await?;
    let theirs = measure(Choice::Synapse, messages).await?;
    for (((name, _), ours), theirs) in searches().into_iter().zip(ours).zip(theirs) {
        let mut row = vec![name.to_owned()];
        for (spread, found) in [ours, theirs] {
            row.extend([figure(spread.p50), figure(spread.p99), if found { "yes" } else { "no" }.to_owned()]);
        }
        table.row(row);
    }
    Ok(table)
}

/// How long each search takes, and whether it finds something.
async fn measure(choice: Choice, messages: usize) -> io::Result<Vec<(Spread, bool)>> {
    let database = Kind::Sqlite.create().await?;
    let (server, members) = synapse::start(choice, &database, 1).await?;
    let [Member { token, room }, ..] = &members[..] else { return Err(io::Error::other("nobody is in the room")) };
    let mut client = Client::connect(server.addr, Some(token)).await?;
    for n in 0..messages {
        match choice {
            Choice::Parlor => drop(client.graphql(POST, json!({ "room": room, "body": said(n) })).await?),
            Choice::Synapse => {
                let message = json!({ "msgtype": "m.text", "body": said(n) });
                let path = format!("{}/rooms/{room}/send/m.room.message/{n}", synapse::API);
                client.request("PUT", &path, &message.to_string()).await?;
            }
        }
    }
    // Its index is written in the background, Parlor's too.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut measured = Vec::new();
    for (_, text) in searches() {
        let (mut times, mut found) = (Vec::with_capacity(REPETITIONS), false);
        for _ in 0..REPETITIONS {
            let began = Instant::now();
            let answer = match choice {
                Choice::Parlor => {
                    client.graphql(SEARCH, json!({ "text": text, "room": Value::Null })).await?.to_string()
                }
                Choice::Synapse => {
                    let categories = json!({ "search_categories": { "room_events": {
                        "search_term": text, "order_by": "recent" } } });
                    client.request("POST", &format!("{}/search", synapse::API), &categories.to_string()).await?
                }
            };
            times.push(began.elapsed());
            found = answer.contains(match choice {
                Choice::Parlor => "\"isMatch\":true",
                Choice::Synapse => "\"event_id\"",
            });
        }
        measured.push((Spread::of_millis(&mut times), found));
    }
    server.stop().await?;
    Ok(measured)
}
