//! Who on this node receives an event: users with subscriptions, their rooms, and the recipients in each room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rooms::Rooms;
use crate::delivery::mailbox::{Mailbox, Mailboxes};
use crate::delivery::notice::Notice;
use crate::delivery::render::{NoticeJobs, RenderGroup, RenderJob};
use crate::ids::{RoomId, UserId};
use crate::log::replay::Filter;
use crate::log::{Class, Effect, Event};

/// One running subscription as the hub knows it.
pub struct Subscriber {
    /// Distinguishes it from the user's others.
    pub id: u64,
    /// The events that it receives.
    pub filter: Filter,
    /// The group that renders its events.
    pub group: Arc<RenderGroup>,
    /// The mailbox that its events are put into.
    pub mailbox: Arc<Mailbox>,
}

/// Mailboxes by the group that fills them.
#[derive(Clone, Default)]
pub struct Recipients(Vec<(Arc<RenderGroup>, Mailboxes)>);

/// A user with at least one subscription here.
#[derive(Default)]
struct OnlineUser {
    /// As of the last applied event.
    rooms: Rooms,
    subscribers: Vec<Subscriber>,
}

/// A room with at least one member online here.
#[derive(Default)]
struct ActiveRoom {
    members: HashSet<UserId>,
    /// The recipients of a new message and those of any other event; computed when first needed, dropped when members
    /// or their subscriptions change.
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

/// All users with subscriptions on this node.
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

    /// Whether there are no recipients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a job for each group that ends these subscriptions.
    pub fn end(&self, jobs: &mut Vec<RenderJob>) {
        jobs.extend(self.0.iter().map(|(group, mailboxes)| group.end(mailboxes.clone())));
    }

    /// Adds a job for each group. Without a notice, which could not be read, it adds none and the mailboxes lag, so
    /// that each subscription catches up on its own.
    pub fn deliver(&self, notice: Option<&Arc<Notice>>, jobs: &mut Vec<RenderJob>) {
        let Some(notice) = notice else {
            let mailboxes = self.0.iter().flat_map(|(_, mailboxes)| mailboxes.iter());
            return mailboxes.for_each(|mailbox| mailbox.lag());
        };
        let mut of_notice = NoticeJobs::of(notice);
        for (group, mailboxes) in &self.0 {
            of_notice.add(group, mailboxes.clone(), jobs);
        }
    }
}

impl Audiences {
    /// Whether this user has a subscription here, and so its rooms are known.
    #[must_use]
    pub fn knows(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// Stores a user's rooms. The caller must call [`Self::add`] next.
    pub fn learn(&mut self, user: UserId, rooms: Rooms) {
        for room in rooms.ids() {
            self.rooms.entry(room).or_default().enter(user);
        }
        self.users.entry(user).or_default().rooms = rooms;
    }

    /// Applies an event's effect on memberships. A user without a subscription here is skipped: only the end of a
    /// user's last subscription frees what is stored about the user.
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

    /// The subscriptions to one room alone that nothing more comes for after an event with this effect: their users are
    /// no longer in it. To be asked for before the effect is applied.
    #[must_use]
    pub fn ended_by(&self, effect: Effect) -> Recipients {
        let (room, users) = match effect {
            Effect::Leaves(user, room) => (room, vec![user]),
            Effect::Closes(room) => {
                (room, self.rooms.get(&room).into_iter().flat_map(|present| present.members.iter().copied()).collect())
            }
            Effect::Nothing | Effect::Joins(..) | Effect::Mutes(..) => return Recipients::default(),
        };
        let online = users.iter().filter_map(|user| self.users.get(user));
        let subscribers = online.flat_map(|online| &online.subscribers);
        Recipients::of(subscribers.filter(|subscriber| subscriber.filter == Filter::Posts(Some(room))))
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

    /// Removes a subscription; the user's rooms are forgotten with the last one.
    pub fn remove(&mut self, user: UserId, id: u64) {
        self.forget_recipients(user);
        let Some(online) = self.users.get_mut(&user) else { return };
        online.subscribers.retain(|subscriber| subscriber.id != id);
        if online.subscribers.is_empty() {
            self.forget(user);
        }
    }

    /// Forgets everybody; the mailboxes lag, so that each subscription catches up on its own.
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

    /// The recipients of an event of this class in this room.
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

    /// The recipients of an event that concerns this user alone.
    #[must_use]
    pub fn of_user(&self, user: UserId) -> Recipients {
        let subscribers = self.users.get(&user).into_iter().flat_map(|online| &online.subscribers);
        Recipients::of(subscribers.filter(|subscriber| subscriber.filter == Filter::Everything))
    }

    /// The recipients of an event about one of the members, without that member, who receives another view of it or
    /// none.
    #[must_use]
    pub fn of_room_but(&self, room: RoomId, but: UserId) -> Recipients {
        let members = self.rooms.get(&room).into_iter().flat_map(|present| &present.members);
        let online = members.filter(|member| **member != but).filter_map(|member| self.users.get(member));
        let subscribers = online.flat_map(|online| &online.subscribers);
        Recipients::of(subscribers.filter(|subscriber| subscriber.filter == Filter::Everything))
    }

    /// The recipients of something that is in no log: the members of these rooms, each once however many of the rooms
    /// they share, without the user whom it is about.
    #[must_use]
    pub fn of_rooms_but(&self, rooms: &[RoomId], but: UserId) -> Recipients {
        Recipients::of(self.others(rooms, but).into_iter().flat_map(|user| self.everything_of(user)))
    }

    /// Whether [`Self::of_rooms_but`] would have any recipients.
    #[must_use]
    pub fn has_any_of_rooms_but(&self, rooms: &[RoomId], but: UserId) -> bool {
        let present = rooms.iter().filter_map(|room| self.rooms.get(room));
        let mut others = present.flat_map(|present| &present.members).filter(|member| **member != but);
        others.any(|member| self.everything_of(*member).next().is_some())
    }

    /// Whether nobody has a subscription here.
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
