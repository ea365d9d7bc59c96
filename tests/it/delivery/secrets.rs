//! Whatever is asked for, by whomever, and whatever happens: each is shown the own rooms and the own view of them, and
//! what is shown to many was rendered once.
//!
//! One thing happens at a time (or one in each room at once), and everybody reads what it must have caused, no more and
//! no less. So each frame can be held against who was where at that moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{Feed, documents};

mod asked;
mod listener;
mod said;
mod world;

use listener::{Told, expect_own_rooms, shows, view, views};
use world::World;

/// Things that happen, after everybody has subscribed.
const STEPS: usize = 30;

/// Everybody reads what must have come, and nothing else. Answers how many views of rooms were among it.
async fn hear(world: &mut World, told: &[Told]) -> usize {
    let World { users, places, listeners, .. } = world;
    let (mut own, mut compared) = (BTreeMap::new(), 0);
    for listener in listeners {
        let user = listener.user;
        let mut due: Vec<&Told> = told.iter().filter(|told| listener.is_due(told, places)).collect();
        while !due.is_empty() {
            let event = listener.next().await;
            let found = due.iter().position(|told| shows(&event, told, places));
            let found = found.unwrap_or_else(|| panic!("user {user} was due {due:?}, got {event:#}"));
            due.remove(found);
            expect_own_rooms(&event, user, places);
            for (room, shown) in views(&event) {
                let key = (user, room);
                if !own.contains_key(&key) {
                    let answer = users[user].graphql(documents::ROOM_VIEWER, json!({ "roomId": key.1 })).await;
                    own.insert(key.clone(), view(&answer["/room/viewer"]));
                }
                assert_eq!(shown, own[&key], "user {user} was shown another view of {} than the own", key.1);
                compared += 1;
            }
        }
    }
    compared
}

/// How many groups have to render each of these, in all.
fn renderings(world: &World, told: &[Told]) -> usize {
    let groups = told.iter().map(|told| {
        let due = world.listeners.iter().filter(|listener| listener.is_due(told, &world.places));
        due.map(|listener| listener.group(told.kind)).collect::<BTreeSet<String>>().len()
    });
    groups.sum()
}

/// Whoever was away all the time catches up, and is shown nothing else either.
async fn catch_up(world: &World) {
    for (n, (user, since)) in world.users.iter().zip(&world.since).enumerate() {
        let mut feed = Feed::open(user.socket().await, asked::SHARED, json!({ "after": since })).await;
        for event in feed.until_synced().await {
            expect_own_rooms(&event.body, n, &world.places);
        }
    }
}

/// All come back, and hear of a last post in each room and in one of all: whatever came to anybody beyond what was due
/// comes before that.
async fn end(world: &mut World) {
    for place in 0..world.places.len() {
        loop {
            let told = world.come_back(place).await;
            if told.is_empty() {
                break;
            }
            hear(world, &told).await;
        }
        let last = world.post_by_first(place).await;
        hear(world, &last).await;
    }
    let gathered = world.gather().await;
    hear(world, &[gathered]).await;
    let last = world.post_by_first(world.places.len() - 1).await;
    hear(world, &last).await;
}

async fn keep_secrets(seed: u64) {
    let mut world = World::new(seed).await;
    // Whoever has been told of the first posts, by catching up or not, is live.
    for place in 0..world.places.len() {
        let first = world.post_by_first(place).await;
        hear(&mut world, &first).await;
    }

    let (mut events, mut rendered_in_all, mut compared) = (0, 0, 0);
    for step in 0..STEPS {
        let before = world.app.metric("parlor_renders_total").await;
        let told = world.happen().await;
        compared += hear(&mut world, &told).await;
        let rendered = world.app.metric("parlor_renders_total").await - before;
        let due = renderings(&world, &told);
        let kinds: Vec<&str> = told.iter().map(|told| told.kind).collect();
        assert_eq!(format!("{rendered}"), format!("{due}"), "renderings of {kinds:?} in step {step}");
        (events, rendered_in_all) = (events + told.len(), rendered_in_all + due);
    }
    catch_up(&world).await;
    end(&mut world).await;
    catch_up(&world).await;

    let happened = format!("{events} events, {rendered_in_all} renderings, {compared} views");
    assert!(events > STEPS / 2 && rendered_in_all > 5 * events && compared > 10 * STEPS, "too little: {happened}");
}

#[tokio::test]
async fn no_frame_holds_what_is_anothers_and_each_event_is_rendered_once_for_each_group() {
    keep_secrets(1).await;
}

#[tokio::test]
async fn nor_does_any_after_other_deeds() {
    keep_secrets(2).await;
}
