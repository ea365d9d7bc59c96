//! Nodes whose clocks differ.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use parlor::store::entity::{event, message};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use tokio::time::sleep;

use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::servers::{Missing, Nats};
use crate::support::documents;

/// A library that moves a program's clock.
const LIBRARY: &str = "libfaketimeMT.so.1";

/// The library, from where Debian keeps it.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join("faketime").join(LIBRARY)).find(|library| library.is_file())
}

/// Whether clocks can be moved.
pub fn movable() -> Result<(), Missing> {
    library().map(drop).ok_or(Missing("libfaketime is not installed: apt-get install libfaketime"))
}

/// One node's clock is right, one is ahead, one is behind: what is in the log never goes back in time.
pub async fn three_nodes_have_three_clocks(context: Context) -> Outcome {
    let (data, broker) = (context.postgres().await, Nats::start());
    let library = library().expect("the library is there").display().to_string();
    let node = async |moved: &str| {
        let mut settings = vec![("PARLOR_NATS_URL", broker.url())];
        if moved != "+0s" {
            let preloaded = [("LD_PRELOAD", library.clone()), ("FAKETIME", moved.to_owned())];
            settings.extend(preloaded);
            settings.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
        }
        Node::start(&data, &settings).await
    };
    let (a, b, c) = (node("+0s").await, node("+2s").await, node("-2s").await);
    let shape = Shape { models: 20, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b, &c]), shape, context.dice("clocks")).await;
    sleep(Duration::from_secs(context.pick(4, 60))).await;
    let user = load.users[0].clone();
    let mut expire = Vec::new();
    // In this order, so that the time in between brings the nodes' times together.
    for node in [&b, &c] {
        let input = json!({ "username": user.username, "password": user.password() });
        let answer = node.endpoint().graphql(None, documents::SIGN_IN, json!({ "input": input })).await;
        let expires = DateTime::parse_from_rfc3339(answer.text("/signIn/accessTokenExpiresAt"));
        expire.push(expires.expect("times are RFC 3339"));
    }
    let apart = expire[0] - expire[1];
    let finished = load.finish(&data).await;

    let db = data.connect().await;
    let log = event::Entity::find().order_by_asc(event::Column::Position).all(&db).await.expect("the log can be read");
    let back = log.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
    let order = [message::Column::RoomId, message::Column::Seq];
    let posts = order.into_iter().fold(message::Entity::find(), QueryOrder::order_by_asc);
    let posts = posts.all(&db).await.expect("the messages can be read");
    let is_back =
        |pair: &&[message::Model]| pair[0].room_id == pair[1].room_id && pair[1].created_at < pair[0].created_at;
    let earlier = posts.windows(2).filter(is_back).count();
    db.close().await.expect("the connection closes");
    let measured = format!("clocks 2 s ahead and behind; {back} of {} events, {earlier} posts back in time", log.len());
    Outcome::new("nothing goes back in time", measured)
        .expect(apart > TimeDelta::zero(), format_args!("the clocks were not moved: {apart}"))
        .expect(back == 0 && earlier == 0, "the log goes back in time")
        .finished(finished)
}
