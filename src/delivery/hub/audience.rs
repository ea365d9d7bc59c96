//! Who on this node receives what: users with subscriptions, their rooms, and the recipients in each room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rooms::Rooms;
use crate::delivery::mailbox::{Mailbox, Mailboxes};
use crate::delivery::notice::Notice;
use crate::delivery::render::{RenderGroup, RenderJob};
use crate::ids::{RoomId, UserId};
use crate::log::replay::Filter;
use crate::log::{Class, Effect, Event};

/// One running subscription as the hub knows it.
pub struct Subscriber {
    /// Distinguishes it from the user's others.
    pub id: u64,
    /// Which events it wants.
    pub filter: Filter,
    /// Who renders for it.
    pub group: Arc<RenderGroup>,
    /// Where its events go.
    pub mailbox: Arc<Mailbox>,
}

/// Mailboxes by the group that fills them.
#[derive(Clone, Default)]
pub struct Recipients(Vec<(Arc<RenderGroup>, Mailboxes)>);

/// A user with at least one subscription here.
#[derive(Default)]
struct OnlineUser {
    /// True to the log up to the last applied event.
    rooms: Rooms,
    subscribers: Vec<Subscriber>,
}

/// A room with at least one member online here.
#[derive(Default)]
struct ActiveRoom {
    members: HashSet<UserId>,
    /// Who receives a new message, and who anything else; made when first needed, dropped when anything changes.
    to_posts: Option<Arc<Recipients>>,
    to_others: Option<Arc<Recipients>>,
}

impl ActiveRoom {
    fn enter(&mut self, user: UserId) {
        self.members.insert(user);
        self.forget_recipients();
    }

    fn forget_recipients(&mut self) {
        (self.to_posts, self.to_others) = (None, None);
    }
}

/// All users who have subscriptions here.
#[derive(Default)]
pub struct Audiences {
    users: HashMap<UserId, OnlineUser>,
    rooms: HashMap<RoomId, ActiveRoom>,
}

impl Recipients {
    fn of<'s>(subscribers: impl Iterator<Item = &'s Subscriber>) -> Self {
        let mut groups: Vec<(Arc<RenderGroup>, Vec<Arc<Mailbox>>)> = Vec::new();
        let mut index: HashMap<*const RenderGroup, usize> = HashMap::new();
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

    /// Adds a job for each group. Without a notice (it could not be read) there is none, and all are left to catch up on
    /// their own.
    pub fn deliver(&self, notice: Option<&Arc<Notice>>, jobs: &mut Vec<RenderJob>) {
        for (group, mailboxes) in &self.0 {
            match notice {
                Some(notice) => jobs.push(group.job(notice.clone(), mailboxes.clone())),
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
                self.rooms.entry(room).and_modify(ActiveRoom::forget_recipients);
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
        self.forget_recipients(user);
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
        self.forget_recipients(user);
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

    /// Whether anybody here receives this event.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        match (event.room_id, event.user_id) {
            (Some(room), _) => self.rooms.contains_key(&room),
            (None, Some(user)) => event.kind.row().class != Class::Hidden && self.users.contains_key(&user),
            (None, None) => false,
        }
    }

    /// Who in the room receives an event of this class.
    pub fn of_room(&mut self, room: RoomId, class: Class) -> Arc<Recipients> {
        let Some(present) = self.rooms.get_mut(&room) else { return Arc::default() };
        let made = if class == Class::Post { &mut present.to_posts } else { &mut present.to_others };
        made.get_or_insert_with(|| {
            let users = &self.users;
            let online = present.members.iter().filter_map(|member| users.get(member));
            Arc::new(Recipients::of(online.flat_map(|online| {
                let muted = online.rooms.muted(room).unwrap_or(true);
                online.subscribers.iter().filter(move |subscriber| subscriber.filter.takes(class, room, muted))
            })))
        })
        .clone()
    }

    /// Who receives what happened to this user alone.
    #[must_use]
    pub fn of_user(&self, user: UserId) -> Recipients {
        let subscribers = self.users.get(&user).into_iter().flat_map(|online| &online.subscribers);
        Recipients::of(subscribers.filter(|subscriber| subscriber.filter == Filter::Everything))
    }

    /// As [`Self::of_room`] for an event about one of the members, who receives it otherwise or not at all.
    #[must_use]
    pub fn of_room_but(&self, room: RoomId, but: UserId) -> Recipients {
        let members = self.rooms.get(&room).into_iter().flat_map(|present| &present.members);
        let online = members.filter(|member| **member != but).filter_map(|member| self.users.get(member));
        let subscribers = online.flat_map(|online| &online.subscribers);
        Recipients::of(subscribers.filter(|subscriber| subscriber.filter == Filter::Everything))
    }

    /// Who receives what is in no log: the members of these rooms, each once, however many of the rooms they share, but
    /// not the user whom it is about.
    #[must_use]
    pub fn of_rooms_but(&self, rooms: &[RoomId], but: UserId) -> Recipients {
        Recipients::of(self.others(rooms, but).into_iter().flat_map(|user| self.everything_of(user)))
    }

    /// Whether that would be anybody.
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
        subscribers.filter(|subscriber| subscriber.filter == Filter::Everything)
    }

    fn absent(&mut self, user: UserId, room: RoomId) {
        let Some(present) = self.rooms.get_mut(&room) else { return };
        present.members.remove(&user);
        present.forget_recipients();
        if present.members.is_empty() {
            self.rooms.remove(&room);
        }
    }

    fn forget_recipients(&mut self, user: UserId) {
        for room in self.users.get(&user).into_iter().flat_map(|online| online.rooms.ids()) {
            self.rooms.entry(room).and_modify(ActiveRoom::forget_recipients);
        }
    }
}
