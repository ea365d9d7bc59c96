//! What posts carry beside their texts.

use proptest::prelude::*;

use super::{POSTED, World};
use crate::chat::custom::Patch;
use crate::chat::message::{Extras, Mentions};

/// What a post carries beside its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// The number of the message that it answers, among the first ones of the room; one more is in the other room.
    pub(super) answers: Option<usize>,
    /// Whom it mentions; the third user is in neither room.
    pub(super) mentions: Vec<usize>,
    pub(super) mentions_room: bool,
    pub(super) custom: Option<u8>,
}

impl World {
    /// As it is posted to this room.
    pub(super) fn extras(&self, room: usize, beside: &Beside) -> Extras {
        let answered = |n: usize| self.posted[room].get(n).unwrap_or(&self.posted[1 - room][0]);
        let users = beside.mentions.iter().map(|user| Some(self.users[*user].user)).collect();
        let custom = beside.custom.map(|value| Patch([("n".to_owned(), value.into())].into_iter().collect()));
        Extras::default()
            .reply_to(beside.answers.map(answered).copied())
            .mentioning(Mentions::new(users, beside.mentions_room).expect("few"))
            .custom(custom)
            .expect("it is small")
    }
}

/// Mostly nothing.
pub(super) fn beside() -> impl Strategy<Value = Beside> {
    let answers = prop::option::weighted(0.4, 0..=usize::try_from(POSTED).expect("few"));
    let mentions = prop::collection::vec(prop_oneof![6 => 0..2_usize, 1 => Just(2)], 0..2);
    let some = (answers, mentions, any::<bool>(), prop::option::of(0..2_u8))
        .prop_map(|(answers, mentions, mentions_room, custom)| Beside { answers, mentions, mentions_room, custom });
    prop_oneof![2 => Just(Beside::default()), 1 => some]
}
