//! What the viewer has not read in all rooms, and what a badge shows.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Message, Room, TestApp, TestUser};

/// What one user knows of one room, counted by hand.
#[derive(Default)]
struct Counted {
    /// Messages of others that are there.
    others: Vec<i64>,
    read: i64,
    level: usize,
    left: bool,
}

const LEVELS: [&str; 3] = ["ALL", "MENTIONS", "NONE"];

fn expected(counted: &BTreeMap<String, Counted>) -> serde_json::Value {
    let unread = |level: &[usize]| -> Vec<usize> {
        let rooms = counted.values().filter(|room| !room.left && level.contains(&room.level));
        let unread = rooms.map(|room| room.others.iter().filter(|seq| **seq > room.read).count());
        unread.filter(|count| *count > 0).collect()
    };
    let told = unread(&[0, 1]);
    json!({ "rooms": told.len(), "messages": told.iter().sum::<usize>(), "badge": unread(&[0]).iter().sum::<usize>() })
}

/// The next of some numbers that depend on nothing but the first.
fn next(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).expect("31 bits") % below
}

struct World<'a> {
    ann: &'a TestUser,
    others: [&'a TestUser; 2],
    rooms: Vec<Room>,
    posted: Vec<(usize, usize, Message)>,
    counted: BTreeMap<String, Counted>,
}

impl World<'_> {
    fn of(&mut self, room: usize) -> &mut Counted {
        self.counted.entry(self.rooms[room].id.clone()).or_default()
    }

    async fn step(&mut self, seed: &mut u64) {
        let room = next(seed, self.rooms.len());
        let is_left = self.of(room).left;
        match next(seed, 10) {
            0..=4 => {
                let by = next(seed, 2);
                let message = self.others[by].post(&self.rooms[room], "news").await;
                self.of(room).others.push(message.seq);
                self.posted.push((room, by, message));
            }
            5 if !self.posted.is_empty() => {
                let at = next(seed, self.posted.len());
                let (room, by, message) = self.posted.swap_remove(at);
                self.others[by].delete(&message).await;
                self.of(room).others.retain(|seq| *seq != message.seq);
            }
            6 if !is_left => {
                let own = self.ann.post(&self.rooms[room], "mine").await;
                self.of(room).read = own.seq;
            }
            7 if !is_left && !self.of(room).others.is_empty() => {
                let at = next(seed, self.of(room).others.len());
                let seq = self.of(room).others[at];
                self.ann.mark_read(&self.rooms[room], seq).await;
                let counted = self.of(room);
                counted.read = counted.read.max(seq);
            }
            8 if !is_left => {
                let level = next(seed, 3);
                self.ann.set_notifications(&self.rooms[room], LEVELS[level]).await;
                self.of(room).level = level;
            }
            9 if !is_left && next(seed, 3) == 0 => {
                self.ann.leave(&self.rooms[room]).await;
                self.of(room).left = true;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn after_random_deeds_the_badge_is_what_is_counted_by_hand() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let mut rooms = Vec::new();
    for n in 0..4 {
        let members = json!([{ "userId": ann.id }, { "userId": kim.id }]);
        rooms.push(bob.create(json!({ "name": format!("{n}"), "members": members })).await);
    }
    assert_eq!(ann.unread_summary().await, json!({ "rooms": 0, "messages": 0, "badge": 0 }));

    let (posted, counted) = (Vec::new(), BTreeMap::new());
    let mut world = World { ann: &ann, others: [&bob, &kim], rooms, posted, counted };
    let mut seed = 15;
    for step in 0..150 {
        world.step(&mut seed).await;
        assert_eq!(ann.unread_summary().await, expected(&world.counted), "after step {step}");
    }
    assert!(world.counted.values().any(|room| room.left) && world.posted.len() > 20, "too little happened");
}
