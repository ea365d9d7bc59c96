//! A client that doesn't read for a while.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Event, Feed, Model, Socket, TestApp, documents, verify};

/// So large, and so many, that neither the system's buffers nor the mailbox hold them all.
const LARGE: usize = 16 * 1024;
const MANY: usize = 560;

const BRIEF: &str =
    "subscription { events { __typename cursor ... on MessagePosted { message { seq room { id } } } } }";

#[tokio::test]
async fn a_client_that_stops_reading_gets_everything_or_is_told_of_the_gap() {
    let app = TestApp::start().await;
    let posters = app.crowd("poster", 4).await;
    let bob = app.user("bob").await;
    let room = posters[0].initiate_chat(posters[1..].iter().chain([&bob])).await;
    let calm = posters[0].initiate_chat([&bob]).await;
    let narrow = Socket::connect_narrow(app.endpoint(), &bob.access_token).await;
    let mut slow = Feed::open(narrow, documents::EVENTS, json!({})).await;
    slow.until_synced().await;
    let mut quick = posters[0].subscribe_to(BRIEF, json!({})).await;
    let mut model = Model::fetch(&bob).await;

    let body = "x".repeat(LARGE);
    let posting = join_all(posters.iter().map(async |poster| {
        for n in 0..MANY / posters.len() {
            poster.post(&room, &body).await;
            if n % 30 == 0 && poster.id == posters[0].id {
                poster.post(&calm, "in between").await;
            }
        }
    }));
    let reading = async {
        for seq in 1..=MANY {
            let posted = loop {
                let message = quick.next_of("MessagePosted").await.body["message"].clone();
                if message["room"]["id"] == room.id {
                    break message["seq"].clone();
                }
            };
            assert_eq!(posted, seq, "who reads is not held up by who doesn't");
        }
    };
    futures_util::join!(posting, reading);

    // The last it was sent before it fell behind, then the way up to the present, perhaps more than once.
    let last = i64::try_from(MANY).expect("a seq");
    let is_announced = |event: &Event| event.kind == "RoomGap" && event.body["toSeq"] == last;
    let mut seen = slow.until(is_announced).await;
    seen.extend(slow.until_synced().await);
    let (mut newest, mut announced, mut gaps) = (0, 0, 0);
    for event in &seen {
        match &*event.kind {
            "MessagePosted" if event.message().room_id == room.id => {
                let seq = event.message().seq;
                assert!(seq > newest, "{seq} came after {newest}");
                assert!(seq <= newest.max(announced) + 1, "{seq} came after {newest}, with gaps up to {announced}");
                newest = seq;
            }
            "RoomGap" if event.room_id() == room.id => {
                let (from, to) = (event.body["fromSeq"].as_i64(), event.body["toSeq"].as_i64());
                assert!(from <= Some(newest.max(announced) + 1), "a gap from {from:?} came after {newest}");
                announced = to.expect("a seq");
                gaps += 1;
            }
            _ => {}
        }
    }
    assert!(gaps > 0, "expected that {MANY} events were too many for one who doesn't read");
    assert!(app.metric("parlor_mailbox_overflows_total").await >= 1.0);
    let others: Vec<i64> = of_room(&seen, &calm.id);
    assert_eq!(others, (1..=5).collect::<Vec<i64>>(), "of the calm room none is lost, doubled or out of order");
    model.apply_all(&bob, &seen).await;
    verify(&bob, &model).await;
    let live = posters[1].post(&room, "live").await;
    assert_eq!(slow.until_posted(&live).await.last().map(Event::message), Some(live));
}

fn of_room(seen: &[Event], room: &str) -> Vec<i64> {
    let posted = seen.iter().filter(|event| event.kind == "MessagePosted").map(Event::message);
    posted.filter(|message| message.room_id == room).map(|message| message.seq).collect()
}
