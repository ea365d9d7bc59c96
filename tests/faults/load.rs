//! Clients that work: each posts, listens, and records for the oracle what it received.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data::Data;
use crate::dice::Dice;
use crate::files;
use crate::finished::Finished;
use crate::node::Node;
use crate::oracle::{self, Findings, What};
use crate::receiver::{Habits, Log, Receiver, what};
use crate::sender::{Answers, Sender};
use crate::support::{Endpoint, Event, Message, Model, Room, TestUser, verify};
use crate::truth;

/// How long senders may still try when the load ends.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15);

/// How many clients there are, and what they do.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients; each posts and listens.
    pub clients: usize,
    /// Members of a room. There are half as many rooms as clients.
    pub members: usize,
    /// About how often a client posts.
    pub pace: Duration,
    /// How receivers behave.
    pub habits: Habits,
    /// How many clients' state is compared with a fresh fetch at the end.
    pub models: usize,
    /// How long the last posts may take to reach everybody, reconnects included.
    pub patience: Duration,
    /// Devices with which each client listens.
    pub devices: usize,
    /// Devices with which each client posts.
    pub posters: usize,
    /// Rooms are groups, which their first members own.
    pub groups: bool,
}

/// The addresses that clients use.
pub struct Routes {
    /// Where they sign up and fetch their state, without a fault in between.
    pub home: Endpoint,
    /// Where they post.
    pub mouths: Vec<Endpoint>,
    /// Where they listen.
    pub ears: Vec<SocketAddr>,
}

impl Routes {
    /// Directly to these nodes.
    pub fn to(nodes: &[&Node]) -> Self {
        let mouths: Vec<Endpoint> = nodes.iter().map(|node| node.endpoint().clone()).collect();
        Self { home: mouths[0].clone(), mouths, ears: nodes.iter().map(|node| node.addr()).collect() }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            clients: 20,
            members: 4,
            pace: Duration::from_millis(150),
            habits: Habits::default(),
            models: 5,
            patience: Duration::from_secs(20),
            devices: 1,
            posters: 1,
            groups: false,
        }
    }
}

/// A room, and its members by their number.
#[derive(Clone)]
pub struct Hall {
    /// The room.
    pub room: Room,
    /// Its members.
    pub members: Vec<usize>,
}

/// Clients that work.
pub struct Load {
    /// The users.
    pub users: Vec<TestUser>,
    /// The rooms.
    pub halls: Vec<Hall>,
    /// The answers to the senders.
    pub answers: Answers,
    /// What the receivers received, each with its user's number; the first device of each user comes first.
    pub logs: Vec<(usize, Log)>,
    patience: Duration,
    models: Vec<Model>,
    routes: Routes,
    dice: Dice,
    senders: JoinSet<()>,
    receivers: JoinSet<()>,
    stop_senders: CancellationToken,
    give_up: CancellationToken,
    stop_receivers: CancellationToken,
}

impl Load {
    /// Signs everybody up, opens the rooms, and starts all clients, spread over the routes.
    pub async fn start(routes: Routes, shape: Shape, dice: Dice) -> Self {
        let home = &routes.home;
        let names: Vec<String> = (0..shape.clients).map(|n| format!("client{n}")).collect();
        let users = join_all(names.iter().map(|name| home.user(name))).await;
        let halls = halls(&users, shape).await;
        let since = users[0].sync_cursor().await;
        let models = join_all(users.iter().take(shape.models).map(Model::fetch)).await;
        let mut load = Self {
            logs: (0..users.len() * shape.devices).map(|n| (n % users.len(), Log::default())).collect(),
            users,
            halls,
            answers: Answers::default(),
            patience: shape.patience,
            models,
            routes,
            dice,
            senders: JoinSet::new(),
            receivers: JoinSet::new(),
            stop_senders: CancellationToken::new(),
            give_up: CancellationToken::new(),
            stop_receivers: CancellationToken::new(),
        };
        load.listen(&since, shape.habits);
        for n in 0..load.users.len() * shape.posters {
            let sender = Sender { device: n / load.users.len(), ..load.sender(n % load.users.len(), shape.pace) };
            load.senders.spawn(sender.run(load.stop_senders.clone(), load.give_up.clone()));
        }
        load
    }

    fn listen(&mut self, since: &str, habits: Habits) {
        for (n, (user, log)) in self.logs.iter().enumerate() {
            // Neighbours listen at different nodes, and so do the devices of one user.
            let mut nodes = self.routes.ears.clone();
            let first = (user + n / self.users.len()) % nodes.len();
            nodes.rotate_left(first);
            let receiver = Receiver {
                nodes,
                token: self.users[*user].access_token.clone(),
                after: since.to_owned(),
                habits,
                dice: self.dice.nth(1_000 + n),
                log: log.clone(),
            };
            self.receivers.spawn(receiver.run(self.stop_receivers.clone()));
        }
    }

    /// A sender for this user.
    pub fn sender(&self, n: usize, pace: Duration) -> Sender {
        let rooms = self.halls.iter().filter(|hall| hall.members.contains(&n)).map(|hall| hall.room.clone());
        Sender {
            nodes: self.routes.mouths.clone(),
            node: n % self.routes.mouths.len(),
            device: 0,
            user: self.users[n].clone(),
            rooms: rooms.collect(),
            everybody: self.users.iter().map(|user| user.id.clone()).collect(),
            pace,
            dice: self.dice.nth(n),
            answers: self.answers.clone(),
        }
    }

    /// Ends the load in good order: the senders stop, a last post in each room reaches every member, the receivers
    /// stop, and everything is compared.
    pub async fn finish(self, data: &Data) -> Finished {
        self.finish_since(data, None).await
    }

    /// The same after the database was replaced by a copy at this moment: what was acknowledged before may be gone, and
    /// a receiver that was told to fetch everything anew has thrown away what it had.
    pub async fn finish_replaced(self, data: &Data, replaced: Instant) -> Finished {
        self.finish_since(data, Some(replaced)).await
    }

    async fn finish_since(mut self, data: &Data, replaced: Option<Instant>) -> Finished {
        self.stop_senders.cancel();
        let give_up = self.give_up.clone();
        let (senders, late) = (&mut self.senders, async {
            tokio::time::sleep(GIVE_UP_AFTER).await;
            give_up.cancel();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            () = async { while let Some(ended) = senders.join_next().await { ended.expect("no sender fails") } } => {}
            () = late => {}
        }
        let settled = tokio::time::timeout(self.patience, self.settle(data)).await.is_ok();
        self.stop_receivers.cancel();
        while let Some(ended) = self.receivers.join_next().await {
            ended.expect("no receiver fails");
        }
        let db = data.connect().await;
        let truth = truth::read(&db).await;
        let mut receivers: Vec<_> = self.logs.iter().map(|(user, log)| log.judged(&self.users[*user].id)).collect();
        let resynced = receivers.iter().filter(|receiver| receiver.was_resynced()).count();
        let acked = self.answers.acked();
        let posts = acked.iter().filter(|acked| replaced.is_none_or(|replaced| acked.answered > replaced));
        let (with_files, posts): (Vec<_>, Vec<_>) = posts.map(|acked| (acked, acked.post.clone())).unzip();
        if replaced.is_some() {
            receivers = receivers.into_iter().map(oracle::Receiver::since_resync).collect();
        }
        let mut findings = truth.judge(&posts, &receivers);
        let home = replaced.is_none().then_some(&self.routes.home);
        files::judge(&db, home, &self.users, &with_files, &mut findings).await;
        db.close().await.expect("the connection closes");
        self.compare_states(&mut findings).await;
        let (errors, connections) = (self.answers.errors(), self.logs.iter().map(|(_, log)| log.connections()).sum());
        let logs = self.logs.into_iter().map(|(_, log)| log).collect();
        let checked =
            tokio::task::block_in_place(|| if replaced.is_some() { data.check() } else { data.check_files() });
        let was_replaced = replaced.is_some();
        Finished { findings, acked, errors, checked, settled, connections, was_replaced, resynced, logs }
    }

    /// Posts a last message in each room and waits until every member has it.
    async fn settle(&self, data: &Data) {
        let posted = join_all(self.halls.iter().map(|hall| async move {
            let mut sender = self.sender(hall.members[0], Duration::ZERO);
            let last = sender.post(&hall.room, &format!("last-{}", &hall.room.id[5..])).await;
            (hall, last.expect("a member may post"))
        }));
        let lasts = posted.await;
        let db = data.connect().await;
        let positions = truth::positions(&db).await;
        db.close().await.expect("the connection closes");
        let arrived = |(hall, last): &(&Hall, Message)| {
            let mut logs = self.logs.iter().filter(|(user, _)| hall.members.contains(user));
            logs.all(|(_, log)| log.has(last, positions.get(&last.id).copied().unwrap_or(i64::MAX)))
        };
        while !lasts.iter().all(arrived) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Applies to the clients' states what they received, and compares them with fresh fetches.
    async fn compare_states(&mut self, findings: &mut Findings) {
        let models = std::mem::take(&mut self.models);
        let clients = models.into_iter().zip(&self.users).zip(&self.logs).map(|((mut model, user), (_, log))| {
            let user = user.at(&self.routes.home);
            let log = log.lock();
            let events = log.iter().flat_map(|connection| &connection.events).map(|(_, event)| event);
            let events: Vec<Event> = events.filter(|event| !matches!(what(event), What::Passing)).cloned().collect();
            AssertUnwindSafe(async move {
                model.apply_all(&user, &events).await;
                verify(&user, &model).await;
            })
            .catch_unwind()
        });
        for error in join_all(clients).await.into_iter().filter_map(Result::err) {
            findings.counts.differing += 1;
            findings.examples.extend(error.downcast::<String>().ok().map(|why| *why));
        }
    }
}

/// Rooms of neighbours: each client is in about twice as many halves of rooms as there are members.
async fn halls(users: &[TestUser], shape: Shape) -> Vec<Hall> {
    let count = (users.len() / 2).max(1);
    let opened = (0..count).map(|n| async move {
        let members: Vec<usize> = (0..shape.members).map(|m| (2 * n + m) % users.len()).collect();
        let others: Vec<&TestUser> = members[1..].iter().map(|member| &users[*member]).collect();
        let first = &users[members[0]];
        let room = if shape.groups { group(first, &others).await } else { first.initiate_chat(others).await };
        Hall { room, members }
    });
    join_all(opened).await
}

async fn group(owner: &TestUser, others: &[&TestUser]) -> Room {
    let members: Vec<_> = others.iter().map(|user| json!({ "userId": user.id })).collect();
    let create = "mutation($members: [NewMember!]!) { createRoom(input: { members: $members }) { room { id } } }";
    Room::of(&owner.graphql(create, json!({ "members": members })).await.data()["createRoom"]["room"])
}
