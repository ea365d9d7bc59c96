//! Tests of the oracle: logs made up by hand, with one fault each.

use std::collections::HashMap;

use serde_json::json;

use crate::blame;
use crate::files;
use crate::oracle::{Acked, Connection, Counts, Post, Receiver, Seen, Truth, What};

/// A test of the oracle, and what it must say.
pub type Test = (&'static str, fn());

/// Every test of the oracle.
pub const TESTS: &[Test] = &[
    ("oracle::what_came_once_and_in_order_is_clean", what_came_once_and_in_order_is_clean),
    ("oracle::what_was_resumed_from_the_cursor_is_clean", what_was_resumed_from_the_cursor_is_clean),
    ("oracle::an_event_that_never_came_is_lost", an_event_that_never_came_is_lost),
    ("oracle::a_post_that_is_not_in_the_database_is_lost", a_post_that_is_not_in_the_database_is_lost),
    ("oracle::what_lies_in_an_announced_gap_is_not_lost", what_lies_in_an_announced_gap_is_not_lost),
    ("oracle::what_a_gap_leaves_out_is_lost", what_a_gap_leaves_out_is_lost),
    ("oracle::an_event_from_before_the_cursor_is_doubled", an_event_from_before_the_cursor_is_doubled),
    ("oracle::an_event_that_comes_twice_is_doubled", an_event_that_comes_twice_is_doubled),
    ("oracle::a_post_written_twice_is_doubled", a_post_written_twice_is_doubled),
    ("oracle::an_event_that_comes_late_is_reordered", an_event_that_comes_late_is_reordered),
    ("oracle::an_event_that_never_was_is_a_phantom", an_event_that_never_was_is_a_phantom),
    ("oracle::what_a_former_member_gets_is_leaked", what_a_former_member_gets_is_leaked),
    ("oracle::what_a_device_threw_away_does_not_count", what_a_device_threw_away_does_not_count),
    ("oracle::an_error_that_is_the_servers_fault_is_counted", an_error_that_is_the_servers_fault_is_counted),
    ("oracle::what_was_posted_while_away_from_the_room_is_not_lost", away_from_the_room_is_not_lost),
    ("files::files_that_are_not_as_posted_are_noticed", files::files_that_are_not_as_posted_are_noticed),
];

/// A room with a post at each of the positions 2 to 5, of which the receiver is a member from 1 on.
fn truth() -> Truth {
    let post = |seq: i64| Post {
        message: format!("message{seq}"),
        room: "room".into(),
        author: "ann".into(),
        client_id: Some(format!("post{seq}")),
        seq,
    };
    Truth {
        posts: (1..=4).map(|seq| (seq + 1, post(seq))).collect(),
        stays: HashMap::from([(("bob".to_owned(), "room".to_owned()), std::iter::once(1..i64::MAX).collect())]),
        ..Truth::default()
    }
}

fn acked(seq: i64) -> Acked {
    Acked { room: "room".into(), author: "ann".into(), client_id: format!("post{seq}"), seq }
}

fn posted(seq: i64) -> Seen {
    Seen { position: seq + 1, what: What::Posted { message: format!("message{seq}"), room: "room".into(), seq } }
}

fn judge(truth: &Truth, connections: impl IntoIterator<Item = (i64, Vec<Seen>)>) -> Counts {
    let connections = connections.into_iter().map(|(after, seen)| Connection { after, seen }).collect();
    let acks: Vec<Acked> = (1..=4).map(acked).collect();
    truth
        .judge(&acks, &[Receiver { user: "bob".into(), connections, forgotten: Vec::new(), faults: Vec::new() }])
        .counts
}

fn what_came_once_and_in_order_is_clean() {
    assert!(judge(&truth(), [(1, (1..=4).map(posted).collect())]).clean());
}

fn what_was_resumed_from_the_cursor_is_clean() {
    assert!(judge(&truth(), [(1, vec![posted(1), posted(2)]), (3, vec![posted(3), posted(4)])]).clean());
}

fn an_event_that_never_came_is_lost() {
    let counts = judge(&truth(), [(1, vec![posted(1), posted(2), posted(4)])]);
    assert_eq!(counts, Counts { lost: 1, ..Counts::default() });
}

fn a_post_that_is_not_in_the_database_is_lost() {
    let mut truth = truth();
    truth.posts.remove(&5);
    let counts = judge(&truth, [(1, (1..=3).map(posted).collect())]);
    assert_eq!(counts, Counts { lost: 1, ..Counts::default() });
}

fn gap(from: i64, to: i64) -> Seen {
    Seen { position: 1, what: What::Gap { room: "room".into(), from, to } }
}

fn what_lies_in_an_announced_gap_is_not_lost() {
    assert!(judge(&truth(), [(1, vec![gap(1, 3), posted(4)])]).clean());
}

fn what_a_gap_leaves_out_is_lost() {
    let counts = judge(&truth(), [(1, vec![gap(1, 2), posted(4)])]);
    assert_eq!(counts, Counts { lost: 1, ..Counts::default() });
}

fn an_event_from_before_the_cursor_is_doubled() {
    let counts = judge(&truth(), [(1, vec![posted(1), posted(2)]), (3, vec![posted(2), posted(3), posted(4)])]);
    assert_eq!(counts, Counts { doubled: 1, ..Counts::default() });
}

fn an_event_that_comes_twice_is_doubled() {
    let counts = judge(&truth(), [(1, vec![posted(1), posted(2), posted(2), posted(3), posted(4)])]);
    assert_eq!(counts, Counts { doubled: 1, ..Counts::default() });
}

fn a_post_written_twice_is_doubled() {
    let mut truth = truth();
    if let Some(post) = truth.posts.get_mut(&5) {
        post.client_id = Some("post3".into());
    }
    let acks: Vec<Acked> = (1..=3).map(acked).collect();
    assert_eq!(truth.judge(&acks, &[]).counts, Counts { doubled: 1, ..Counts::default() });
}

fn an_event_that_comes_late_is_reordered() {
    let counts = judge(&truth(), [(1, vec![posted(1), posted(3), posted(2), posted(4)])]);
    assert_eq!(counts, Counts { reordered: 1, ..Counts::default() });
}

fn an_event_that_never_was_is_a_phantom() {
    let counts = judge(&truth(), [(1, (1..=5).map(posted).collect())]);
    assert_eq!(counts, Counts { phantom: 1, ..Counts::default() });
}

fn what_a_device_threw_away_does_not_count() {
    let gone = Seen { position: 5, what: What::Posted { message: "gone".into(), room: "room".into(), seq: 4 } };
    let resync = Seen { position: 3, what: What::Resync };
    let receiver = |seen: Vec<Seen>| {
        let connections =
            vec![Connection { after: 1, seen: vec![posted(1), gone.clone()] }, Connection { after: 5, seen }];
        Receiver { user: "bob".into(), connections, forgotten: Vec::new(), faults: Vec::new() }.since_resync()
    };
    let counts = |seen| truth().judge(&[], &[receiver(seen)]).counts;
    assert!(counts(vec![resync.clone(), posted(3), posted(4)]).clean());
    assert_eq!(counts(vec![resync, posted(3)]), Counts { lost: 1, ..Counts::default() }, "posted after it");
    assert_eq!(counts(Vec::new()).phantom, 1, "nobody has told the device");
}

fn an_error_that_is_the_servers_fault_is_counted() {
    let error = |code| json!({ "type": "error", "id": "1", "payload": [{ "extensions": { "code": code } }] });
    let faults = ["UNAVAILABLE", "INTERNAL_SERVER_ERROR", "NOT_FOUND"].map(|code| blame::of_message(&error(code)));
    let closes = [1002, 1008, 1009, 1011, 4403, 1012, 1013, 1006].map(blame::of_close);
    let faults = faults.into_iter().chain(closes).flatten().collect();
    let seen = (1..=4).map(posted).collect();
    let receiver = Receiver {
        user: "bob".into(),
        connections: vec![Connection { after: 1, seen }],
        forgotten: Vec::new(),
        faults,
    };
    let counts = truth().judge(&[], &[receiver]).counts;
    assert_eq!(counts, Counts { faults: 7, ..Counts::default() });
}

/// The truth in which the receiver was no member of the room at positions 3 and 4.
fn away() -> Truth {
    let mut truth = truth();
    truth.stays.insert(("bob".to_owned(), "room".to_owned()), vec![1..3, 5..i64::MAX]);
    truth
}

fn what_a_former_member_gets_is_leaked() {
    let counts = judge(&away(), [(1, (1..=4).map(posted).collect())]);
    assert_eq!(counts, Counts { leaked: 2, ..Counts::default() });
}

fn away_from_the_room_is_not_lost() {
    assert!(judge(&away(), [(1, vec![posted(1), posted(4)])]).clean());
}
