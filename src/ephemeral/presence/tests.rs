use uuid::Uuid;

use super::*;

const LINGER: Duration = Duration::from_secs(5);
const NODE_TIMEOUT: Duration = Duration::from_secs(13);

/// A tracker at a moment of the test's choice.
struct Setting {
    tracker: Tracker,
    begun: Instant,
    secs: u32,
    ann: UserId,
    b: NodeId,
}

impl Setting {
    fn new() -> Self {
        let (ann, b) = (UserId::generate(), NodeId(Uuid::now_v7()));
        Self { tracker: Tracker::new(LINGER, NODE_TIMEOUT), begun: Instant::now(), secs: 0, ann, b }
    }

    fn now(&self) -> Now {
        Now { instant: self.begun + Duration::from_secs(self.secs.into()), time: time(self.secs) }
    }

    /// Advances the time to this moment, second by second, without a message of another node.
    fn at(&mut self, secs: u32) -> &mut Self {
        while self.secs < secs {
            self.secs += 1;
            self.tracker.tick(self.now(), true);
        }
        self
    }

    fn connect(&mut self) -> &mut Self {
        self.tracker.connect(self.ann);
        self
    }

    fn disconnect(&mut self) -> &mut Self {
        self.tracker.disconnect(self.ann, self.now());
        self
    }

    fn snapshot(&mut self, round: u64, users: &[UserId]) -> &mut Self {
        self.tracker.on_snapshot(self.b, Snapshot { round, parts: 1, users: users.to_vec() }, self.now());
        self
    }

    /// The changes to be published: whether the user is online, and if not, when last seen.
    fn published(&mut self) -> Vec<(bool, Option<DateTime<Utc>>)> {
        self.tracker.take_changes(100).into_iter().map(|change| (change.online, change.last_seen)).collect()
    }

    fn to_write(&self) -> Vec<(UserId, DateTime<Utc>)> {
        self.tracker.to_write(100)
    }
}

fn time(secs: u32) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(secs.into())
}

const ONLINE: (bool, Option<DateTime<Utc>>) = (true, None);

fn offline(secs: u32) -> (bool, Option<DateTime<Utc>>) {
    (false, Some(time(secs)))
}

#[test]
fn who_connects_is_online_at_once_and_who_is_gone_is_offline_after_a_while() {
    let mut it = Setting::new();
    assert_eq!(it.connect().published(), [ONLINE]);
    it.at(10).disconnect();
    assert_eq!(it.at(14).published(), []);
    assert!(it.tracker.is_online(it.ann));
    assert_eq!(it.at(15).published(), [offline(10)]);
    assert!(!it.tracker.is_online(it.ann));
    assert_eq!(it.to_write(), [(it.ann, time(10))]);
}

#[test]
fn phone_and_laptop_are_one_presence() {
    let mut it = Setting::new();
    assert_eq!(it.connect().connect().published(), [ONLINE]);
    it.disconnect();
    assert_eq!(it.at(60).published(), []);
    it.disconnect();
    assert_eq!(it.at(65).published(), [offline(60)]);
    assert_eq!(it.tracker.take_delta(), Delta { came: vec![it.ann], left: vec![(it.ann, time(60))] });
}

#[test]
fn who_reconnects_in_time_was_never_away() {
    let mut it = Setting::new();
    it.connect().published();
    it.tracker.take_delta();
    for away_at in [10, 20, 30] {
        it.at(away_at).disconnect();
        it.at(away_at + 4).connect();
    }
    assert_eq!(it.at(60).published(), []);
    assert_eq!(it.tracker.take_delta(), Delta::default());
    assert_eq!(it.to_write(), []);
}

#[test]
fn who_comes_back_before_it_was_told_has_not_been_away() {
    let mut it = Setting::new();
    it.connect().published();
    it.disconnect().at(6).connect();
    assert_eq!(it.published(), []);
}

#[test]
fn what_could_not_be_told_is_told_later_as_it_is_then() {
    let mut it = Setting::new();
    it.connect();
    let unpublished = it.tracker.take_changes(100);
    it.tracker.put_back(&unpublished);
    assert_eq!(it.published(), [ONLINE]);
    it.disconnect().at(5);
    let unpublished = it.tracker.take_changes(100);
    it.tracker.put_back(&unpublished);
    assert_eq!(it.published(), [offline(0)]);
    it.connect();
    let unpublished = it.tracker.take_changes(100);
    it.disconnect().at(10);
    it.tracker.put_back(&unpublished);
    assert_eq!(it.published(), []);
}

#[test]
fn what_is_seen_stays_until_it_is_written() {
    let mut it = Setting::new();
    it.connect().disconnect().at(5);
    let seen = it.to_write();
    it.connect().at(6).disconnect().at(11);
    it.tracker.written(&seen);
    assert_eq!(it.to_write(), [(it.ann, time(6))], "a later moment was noted meanwhile");
    assert_eq!(it.tracker.last_seen(it.ann), Some(time(6)));
    it.tracker.written(&[(it.ann, time(6))]);
    assert_eq!(it.tracker.last_seen(it.ann), None);
}

#[test]
fn sockets_on_several_nodes_are_one_presence() {
    let mut it = Setting::new();
    it.connect().published();
    let ann = it.ann;
    it.tracker.on_delta(it.b, Delta { came: vec![ann], left: vec![] }, it.now());
    it.disconnect();
    assert_eq!(it.at(6).published(), []);
    assert_eq!(it.to_write(), [(ann, time(0))], "this node writes what it saw");
    it.tracker.on_delta(it.b, Delta { came: vec![], left: vec![(ann, time(6))] }, it.now());
    assert_eq!(it.published(), [offline(6)]);
    assert_eq!(it.to_write(), [(ann, time(0))], "the other node writes what it saw");
}

#[test]
fn who_reconnects_to_another_node_in_time_was_never_away() {
    let mut it = Setting::new();
    it.connect().published();
    it.disconnect().at(3);
    let ann = it.ann;
    it.tracker.on_delta(it.b, Delta { came: vec![ann], left: vec![] }, it.now());
    it.at(8).snapshot(1, &[ann]);
    assert_eq!(it.at(9).published(), []);
    assert!(it.tracker.is_online(ann));
}

#[test]
fn a_roll_makes_up_for_what_was_lost() {
    let mut it = Setting::new();
    let (ann, bob) = (it.ann, UserId::generate());
    assert_eq!(it.snapshot(1, &[ann]).published(), [ONLINE]);
    assert_eq!(it.snapshot(2, &[bob]).published().len(), 2);
    assert_eq!((it.tracker.is_online(ann), it.tracker.is_online(bob)), (false, true));
    assert_eq!(it.snapshot(1, &[ann]).published(), [], "an old one changes nothing");
    assert_eq!(it.to_write(), []);
}

#[test]
fn nobody_is_gone_before_all_parts_of_a_roll_were_heard() {
    let mut it = Setting::new();
    let users: Vec<UserId> = (0..5).map(|_| UserId::generate()).collect();
    for user in &users {
        it.tracker.connect(*user);
    }
    let parts = it.tracker.snapshot(1, 2);
    assert_eq!(parts.iter().map(|part| part.users.len()).collect::<Vec<_>>(), [2, 2, 1]);

    let mut other = Setting::new();
    for part in parts {
        other.tracker.on_snapshot(other.b, part, other.now());
    }
    assert_eq!(other.published().len(), 5);
    for mut part in it.tracker.snapshot(2, 2) {
        let is_last = part.users.len() == 1;
        part.users.clear();
        other.tracker.on_snapshot(other.b, part, other.now());
        assert_eq!(other.published().len(), if is_last { 5 } else { 0 });
    }
    assert_eq!(Setting::new().tracker.snapshot(1, 2), [Snapshot { round: 1, parts: 1, users: vec![] }]);
}

#[test]
fn a_node_that_is_not_heard_of_is_dead_and_was_last_seen_when_it_was_last_heard() {
    let mut it = Setting::new();
    let ann = it.ann;
    it.snapshot(1, &[ann]).published();
    it.at(5).snapshot(2, &[ann]);
    assert_eq!(it.at(17).published(), []);
    assert_eq!(it.at(18).published(), [offline(5)]);
    assert_eq!(it.to_write(), [(ann, time(5))]);
}

#[test]
fn nobody_is_told_dead_while_the_broker_is_away() {
    let mut it = Setting::new();
    let ann = it.ann;
    it.snapshot(1, &[ann]).published();
    for _ in 0..60 {
        it.secs += 1;
        it.tracker.tick(it.now(), false);
    }
    assert_eq!(it.at(72).published(), []);
    assert_eq!(it.at(73).published(), [offline(0)]);
}

#[test]
fn nobody_is_told_dead_by_a_node_that_was_asleep_itself() {
    let mut it = Setting::new();
    let ann = it.ann;
    it.snapshot(1, &[ann]).at(1).published();
    it.secs = 31;
    it.tracker.tick(it.now(), true);
    assert_eq!(it.published(), []);
    it.snapshot(2, &[ann]);
    assert_eq!(it.at(43).published(), []);
}

#[test]
fn users_of_a_node_that_stops_have_some_time_to_connect_elsewhere() {
    let mut it = Setting::new();
    let (ann, bob) = (it.ann, UserId::generate());
    it.snapshot(1, &[ann, bob]).published();
    it.tracker.on_stop(it.b, it.now());
    it.at(3).connect();
    assert_eq!(it.at(4).published(), []);
    let changes = it.at(5).tracker.take_changes(100);
    assert_eq!(changes, [PresenceChange { user: bob, online: false, last_seen: None }]);
    assert_eq!(it.to_write(), [], "the node that stops has written it");
}

#[test]
fn a_node_that_stops_notes_when_all_its_users_were_last_seen() {
    let mut it = Setting::new();
    let (ann, bob) = (it.ann, UserId::generate());
    it.tracker.connect(bob);
    it.connect().at(1).disconnect().at(3);
    it.tracker.stop(it.now());
    let mut seen = it.to_write();
    seen.sort_by_key(|(_, at)| *at);
    assert_eq!(seen, [(ann, time(1)), (bob, time(3))]);
}

#[test]
fn changes_are_taken_a_few_at_a_time() {
    let mut it = Setting::new();
    for _ in 0..5 {
        it.tracker.connect(UserId::generate());
    }
    let taken: Vec<usize> = (0..4).map(|_| it.tracker.take_changes(2).len()).collect();
    assert_eq!(taken, [2, 2, 1, 0]);
    assert!(!it.tracker.has_changes());
}
