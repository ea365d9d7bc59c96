//! Who on this node is told of what: users, their rooms, and the audience of each room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::delivery::mailbox::Mailbox;
use crate::delivery::notice::Notice;
use crate::delivery::render::{Delivery, Group};
use crate::ids::{RoomId, UserId};
use crate::log::replay::Wanted;
use crate::log::{Class, Effect, Event};
use crate::store::entity::member::Membership;

/// Mailboxes that get the same bytes. Shared, so that handing an event to thousands copies one pointer.
pub type Mailboxes = Arc<[Arc<Mailbox>]>;

/// One running subscription as the hub knows it.
pub struct Subscriber {
    /// Distinguishes it from the user's others.
    pub id: u64,
    /// Which events it wants.
    pub wanted: Wanted,
    /// Who renders for it.
    pub group: Arc<Group>,
    /// Where its events go.
    pub mailbox: Arc<Mailbox>,
}

/// Mailboxes by the group that fills them.
#[derive(Clone, Default)]
pub struct Audience(Vec<(Arc<Group>, Mailboxes)>);

/// A user's rooms, and whether each is muted. Changed by the effects of events and by nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rooms(HashMap<RoomId, bool>);

impl Rooms {
    /// Changes these rooms of `user` as an event does. Both the hub, live, and an attachment that brings memberships up
    /// to date fold the same effects by this.
    pub fn fold(&mut self, user: UserId, effect: Effect) {
        match effect {
            Effect::Joins(whose, room) if whose == user => {
                self.0.entry(room).or_insert(false);
            }
            Effect::Mutes(whose, room, muted) if whose == user => {
                self.0.entry(room).and_modify(|was| *was = muted);
            }
            Effect::Leaves(whose, room) if whose == user => {
                self.0.remove(&room);
            }
            Effect::Closes(room) => {
                self.0.remove(&room);
            }
            Effect::Nothing | Effect::Joins(..) | Effect::Mutes(..) | Effect::Leaves(..) => {}
        }
    }

    /// Whether the user has muted the room. None: the user isn't in it.
    #[must_use]
    pub fn muted(&self, room: RoomId) -> Option<bool> {
        self.0.get(&room).copied()
    }

    fn ids(&self) -> impl Iterator<Item = RoomId> {
        self.0.keys().copied()
    }
}

impl FromIterator<Membership> for Rooms {
    fn from_iter<M: IntoIterator<Item = Membership>>(memberships: M) -> Self {
        Self(memberships.into_iter().map(|membership| (membership.room_id, membership.muted)).collect())
    }
}

/// A user with at least one subscription here.
#[derive(Default)]
struct Online {
    /// True to the log up to the last applied event.
    rooms: Rooms,
    subscribers: Vec<Subscriber>,
}

/// A room with at least one member online here.
#[derive(Default)]
struct Present {
    members: HashSet<UserId>,
    /// Who gets a new message, and who gets anything else; made when first needed, dropped when anything changes.
    to_posts: Option<Arc<Audience>>,
    to_others: Option<Arc<Audience>>,
}

impl Present {
    fn enter(&mut self, user: UserId) {
        self.members.insert(user);
        self.forget_audiences();
    }

    fn forget_audiences(&mut self) {
        (self.to_posts, self.to_others) = (None, None);
    }
}

/// All who are online here.
#[derive(Default)]
pub struct Audiences {
    users: HashMap<UserId, Online>,
    rooms: HashMap<RoomId, Present>,
}

impl Audience {
    fn of<'s>(subscribers: impl Iterator<Item = &'s Subscriber>) -> Self {
        let mut groups: Vec<(Arc<Group>, Vec<Arc<Mailbox>>)> = Vec::new();
        let mut index: HashMap<*const Group, usize> = HashMap::new();
        for subscriber in subscribers {
            let at = *index.entry(Arc::as_ptr(&subscriber.group)).or_insert_with(|| {
                groups.push((subscriber.group.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push(subscriber.mailbox.clone());
        }
        Self(groups.into_iter().map(|(group, mailboxes)| (group, mailboxes.into())).collect())
    }

    /// Nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what each group is to be handed. Without a notice (it could not be read) that is nothing, and all are left to
    /// catch up on their own.
    pub fn deliver(&self, notice: Option<&Arc<Notice>>, deliveries: &mut Vec<Delivery>) {
        for (group, mailboxes) in &self.0 {
            match notice {
                Some(notice) => deliveries.push(group.delivery(notice.clone(), mailboxes.clone())),
                None => mailboxes.iter().for_each(|mailbox| mailbox.lag()),
            }
        }
    }
}

impl Audiences {
    /// Whether this user has a subscription here, so that its rooms are known.
    #[must_use]
    pub fn knows(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// Notes a user's rooms. To be followed by [`Self::add`].
    pub fn learn(&mut self, user: UserId, rooms: Rooms) {
        for room in rooms.ids() {
            self.rooms.entry(room).or_default().enter(user);
        }
        self.users.entry(user).or_default().rooms = rooms;
    }

    /// Changes who is where as an event does. A user without a subscription here is unknown and stays so: nobody would
    /// free what was noted of that user.
    pub fn fold(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Joins(user, room) => {
                let Some(online) = self.users.get_mut(&user) else { return };
                online.rooms.fold(user, effect);
                self.rooms.entry(room).or_default().enter(user);
            }
            Effect::Mutes(user, room, _) => {
                let Some(online) = self.users.get_mut(&user) else { return };
                online.rooms.fold(user, effect);
                self.rooms.entry(room).and_modify(Present::forget_audiences);
            }
            Effect::Leaves(user, room) => {
                let Some(online) = self.users.get_mut(&user) else { return };
                online.rooms.fold(user, effect);
                self.absent(user, room);
            }
            Effect::Closes(room) => {
                for member in self.rooms.remove(&room).unwrap_or_default().members {
                    if let Some(online) = self.users.get_mut(&member) {
                        online.rooms.fold(member, effect);
                    }
                }
            }
        }
    }

    /// Adds a subscription of a user whose rooms are known.
    pub fn add(&mut self, user: UserId, subscriber: Subscriber) {
        self.users.entry(user).or_default().subscribers.push(subscriber);
        self.forget_audiences(user);
    }

    /// Whether the user is in this room.
    #[must_use]
    pub fn is_member(&self, user: UserId, room: RoomId) -> bool {
        self.users.get(&user).is_some_and(|online| online.rooms.muted(room).is_some())
    }

    /// The rooms of a user who has a subscription here.
    #[must_use]
    pub fn rooms_of(&self, user: UserId) -> Option<&Rooms> {
        self.users.get(&user).map(|online| &online.rooms)
    }

    /// Takes a subscription out; the user's rooms are forgotten with the last.
    pub fn remove(&mut self, user: UserId, id: u64) {
        self.forget_audiences(user);
        let Some(online) = self.users.get_mut(&user) else { return };
        online.subscribers.retain(|subscriber| subscriber.id != id);
        if online.subscribers.is_empty() {
            self.forget(user);
        }
    }

    /// Forgets everybody, and leaves each subscription to catch up on its own.
    pub fn disperse(&mut self) {
        for subscriber in self.users.values().flat_map(|online| &online.subscribers) {
            subscriber.mailbox.lag();
        }
        *self = Self::default();
    }

    /// Forgets a user's rooms.
    fn forget(&mut self, user: UserId) {
        let Some(online) = self.users.remove(&user) else { return };
        for room in online.rooms.ids() {
            self.absent(user, room);
        }
    }

    /// Whether anybody here is told of this event.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        match (event.room_id, event.user_id) {
            (Some(room), _) => self.rooms.contains_key(&room),
            (None, Some(user)) => event.kind.row().class != Class::Hidden && self.users.contains_key(&user),
            (None, None) => false,
        }
    }

    /// Who in the room is told of an event of this class.
    pub fn of_room(&mut self, room: RoomId, class: Class) -> Arc<Audience> {
        let Some(present) = self.rooms.get_mut(&room) else { return Arc::default() };
        let made = if class == Class::Post { &mut present.to_posts } else { &mut present.to_others };
        made.get_or_insert_with(|| {
            let users = &self.users;
            let online = present.members.iter().filter_map(|member| users.get(member));
            Arc::new(Audience::of(online.flat_map(|online| {
                let muted = online.rooms.muted(room).unwrap_or(true);
                online.subscribers.iter().filter(move |subscriber| subscriber.wanted.takes(class, room, muted))
            })))
        })
        .clone()
    }

    /// Who is told of what happened to this user alone.
    #[must_use]
    pub fn of_user(&self, user: UserId) -> Audience {
        let subscribers = self.users.get(&user).into_iter().flat_map(|online| &online.subscribers);
        Audience::of(subscribers.filter(|subscriber| subscriber.wanted == Wanted::Everything))
    }

    /// As [`Self::of_room`] for an event about one of the members, who is told otherwise.
    #[must_use]
    pub fn of_room_but(&self, room: RoomId, but: UserId) -> Audience {
        let members = self.rooms.get(&room).into_iter().flat_map(|present| &present.members);
        let online = members.filter(|member| **member != but).filter_map(|member| self.users.get(member));
        let subscribers = online.flat_map(|online| &online.subscribers);
        Audience::of(subscribers.filter(|subscriber| subscriber.wanted == Wanted::Everything))
    }

    /// Who is told of what somebody does for a moment: those who are in one of these rooms, each once, however many
    /// of them they share; not the one that it is about.
    #[must_use]
    pub fn of_rooms_but(&self, rooms: &[RoomId], but: UserId) -> Audience {
        Audience::of(self.others(rooms, but).into_iter().flat_map(|user| self.everything_of(user)))
    }

    /// Whether that audience would be anybody.
    #[must_use]
    pub fn has_any_of_rooms_but(&self, rooms: &[RoomId], but: UserId) -> bool {
        let present = rooms.iter().filter_map(|room| self.rooms.get(room));
        let mut others = present.flat_map(|present| &present.members).filter(|member| **member != but);
        others.any(|member| self.everything_of(*member).next().is_some())
    }

    /// Nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn others(&self, rooms: &[RoomId], but: UserId) -> HashSet<UserId> {
        let present = rooms.iter().filter_map(|room| self.rooms.get(room));
        present.flat_map(|present| present.members.iter().copied()).filter(|member| *member != but).collect()
    }

    fn everything_of(&self, user: UserId) -> impl Iterator<Item = &Subscriber> {
        let subscribers = self.users.get(&user).into_iter().flat_map(|online| &online.subscribers);
        subscribers.filter(|subscriber| subscriber.wanted == Wanted::Everything)
    }

    fn absent(&mut self, user: UserId, room: RoomId) {
        let Some(present) = self.rooms.get_mut(&room) else { return };
        present.members.remove(&user);
        present.forget_audiences();
        if present.members.is_empty() {
            self.rooms.remove(&room);
        }
    }

    fn forget_audiences(&mut self, user: UserId) {
        for room in self.users.get(&user).into_iter().flat_map(|online| online.rooms.ids()) {
            self.rooms.entry(room).and_modify(Present::forget_audiences);
        }
    }
}
