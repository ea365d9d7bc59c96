//! A client that posts with client ids, and retries with the same id until it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::dice::Dice;
use crate::files;
use crate::oracle;
use crate::support::{Endpoint, Message, Room, TestUser, documents};

/// How long to wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a client waits before it retries.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How a mark is counted that is refused because the room has no such message. Only where messages are lost on purpose
/// is it expected.
pub const PAST_THE_END: &str = "a mark past the end";

const POST: &str =
    "mutation($roomId: ID!, $body: String!, $clientId: ID, $to: ID, $users: [ID!], $all: Boolean!, $files: [ID!]) {
    postMessage(roomId: $roomId, body: $body, clientId: $clientId, replyToId: $to, mentions: $users, mentionsRoom: $all,
        attachmentIds: $files) { message { id seq body clientId createdAt editedAt deletedAt author { id } room { id } } } }";
const REACT: &str = "mutation($id: ID!, $emoji: String!, $on: Boolean!) {
    setReaction(messageId: $id, emoji: $emoji, on: $on) { message { id } } }";
const PIN: &str = "mutation($id: ID!, $on: Boolean!) { pinMessage(messageId: $id, pinned: $on) { room { id } } }";
const MARK_UNREAD: &str = "mutation($id: ID!) { markUnread(messageId: $id) { room { id } } }";

/// An acknowledged post, with its times.
#[derive(Clone, Debug)]
pub struct Acked {
    /// What was acknowledged.
    pub post: oracle::Acked,
    /// How many files it was posted with.
    pub files: usize,
    /// The number of the node that acknowledged it.
    pub node: usize,
    /// When it was first sent.
    pub sent: Instant,
    /// When it was acknowledged.
    pub answered: Instant,
}

/// The answers to all senders.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    acked: Vec<Acked>,
    errors: BTreeMap<String, usize>,
}

impl Answers {
    /// Every acknowledged post.
    pub fn acked(&self) -> Vec<Acked> {
        self.lock().acked.clone()
    }

    /// When something was last acknowledged.
    pub fn last(&self) -> Option<Instant> {
        self.lock().acked.last().map(|acked| acked.answered)
    }

    /// When this node last acknowledged something.
    pub fn last_of(&self, node: usize) -> Option<Instant> {
        self.lock().acked.iter().rev().find(|acked| acked.node == node).map(|acked| acked.answered)
    }

    /// How often each error was answered.
    pub fn errors(&self) -> BTreeMap<String, usize> {
        self.lock().errors.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, acked: Acked) {
        self.lock().acked.push(acked);
    }

    fn refused(&self, why: &str) {
        *self.lock().errors.entry(why.to_owned()).or_default() += 1;
    }
}

/// Why a request failed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There was no answer to what was asked for: the request may have taken effect. So it is when a change is committed, and
    /// who made it is out of the room before it is shown.
    Unreachable,
    /// `extensions.code` of the answer.
    Code(String),
}

impl Refusal {
    /// How it is counted.
    pub fn name(&self) -> &str {
        match self {
            Self::Unreachable => "no answer",
            Self::Code(code) => code,
        }
    }

    /// Whether it may be that the author isn't in the room, which says nothing of what was posted before. Any other refusal shows
    /// that it wasn't: what was posted already isn't looked at again.
    fn may_be_of_the_room(&self) -> bool {
        matches!(self, Self::Code(code) if code == "NOT_FOUND" || code == "FORBIDDEN")
    }

    /// Whether the same request may succeed later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Code(code) => !["NOT_FOUND", "FORBIDDEN", "CONFLICT", "BAD_USER_INPUT"].contains(&code.as_str()),
        }
    }
}

/// The data that a node answers with; the node may be away.
pub async fn ask(endpoint: &Endpoint, token: &str, document: &str, variables: Value) -> Result<Value, Refusal> {
    let request = endpoint.http.post(endpoint.url("/graphql")).timeout(ANSWER_TIMEOUT).bearer_auth(token);
    let request = request.json(&json!({ "query": document, "variables": variables }));
    let response = request.send().await.map_err(|_| Refusal::Unreachable)?;
    let mut answer: Value = response.json().await.map_err(|_| Refusal::Unreachable)?;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some(_) if answer["errors"][0]["path"].as_array().is_some_and(|path| path.len() > 1) => {
            Err(Refusal::Unreachable)
        }
        Some(code) => Err(Refusal::Code(code.to_owned())),
        None => Ok(answer["data"].take()),
    }
}

/// What is posted beside a text.
#[derive(Clone, Default)]
struct Extras {
    /// The id of the message that is answered.
    answers: Option<String>,
    /// The ids of users who are mentioned.
    users: Vec<String>,
    /// Whether all are mentioned.
    room: bool,
    /// The ids of the files.
    files: Vec<String>,
}

/// A client that posts.
pub struct Sender {
    /// Where to post: to the next address when one can't be reached.
    pub nodes: Vec<Endpoint>,
    /// The index of the first address to use.
    pub node: usize,
    /// The number of the user's device.
    pub device: usize,
    /// The user who posts.
    pub user: TestUser,
    /// The rooms to post to.
    pub rooms: Vec<Room>,
    /// The ids of everybody.
    pub everybody: Vec<String>,
    /// About how often it posts.
    pub pace: Duration,
    /// Its own choices.
    pub dice: Dice,
    /// The answers that it received.
    pub answers: Answers,
}

impl Sender {
    /// Posts, and sometimes edits, deletes, pins, reacts and marks as read or unread, until stopped; a request that is being retried then is
    /// retried until it is answered, or until `give_up`.
    pub async fn run(mut self, stop: CancellationToken, give_up: CancellationToken) {
        let mut own: Option<Message> = None;
        let (mut named, home) = (0, self.node);
        loop {
            let pause = self.dice.about(self.pace);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let room = self.rooms[self.dice.below(self.rooms.len())].clone();
            match (self.dice.below(100), own.take()) {
                (0..5, Some(message)) => {
                    let edit = json!({ "messageId": message.id, "body": format!("{} edited", message.body) });
                    self.once(documents::EDIT_MESSAGE, edit).await;
                }
                (5..9, Some(message)) => {
                    self.once(documents::DELETE_MESSAGE, json!({ "messageId": message.id })).await;
                }
                (9..14, Some(message)) => {
                    self.mark(&message).await;
                }
                (14..24, Some(message)) => {
                    self.do_around(&message).await;
                    // It may be altered next.
                    own = Some(message);
                }
                (roll, message) => {
                    // Whoever was driven away comes back now and then, or a node would never be posted to again.
                    if self.dice.below(4) == 0 {
                        self.node = home;
                    }
                    named += 1;
                    let name = format!("{}-{}-{named}", self.user.username, self.device);
                    let answered = message.filter(|message| message.room_id == room.id && roll % 2 == 0);
                    let mut extras = self.extras(answered, roll);
                    if roll.is_multiple_of(8) {
                        extras.files = self.send_files(&name, 1 + roll / 8 % 2).await;
                    }
                    tokio::select! {
                        () = give_up.cancelled() => return,
                        posted = self.post_with(&room, &name, extras) => own = posted,
                    }
                }
            }
        }
    }

    /// Posts with this client id until it is answered. `None` if the post is refused for good.
    pub async fn post(&mut self, room: &Room, client_id: &str) -> Option<Message> {
        self.post_with(room, client_id, Extras::default()).await
    }

    /// What a post carries: some answer, some mention somebody, who may be in another room, and few all.
    fn extras(&mut self, answered: Option<Message>, roll: usize) -> Extras {
        let somebody = self.everybody.get(self.dice.below(self.everybody.len())).cloned();
        let users = somebody.filter(|_| roll.is_multiple_of(5)).into_iter().collect();
        Extras { answers: answered.map(|message| message.id), users, room: roll.is_multiple_of(7), files: Vec::new() }
    }

    /// Sends files for the post of this name, once: where that fails, it goes without.
    async fn send_files(&self, client_id: &str, count: usize) -> Vec<String> {
        let sent = files::send(&self.nodes[self.node], &self.user.access_token, client_id, count).await;
        sent.unwrap_or_else(|refusal| {
            self.answers.refused(refusal.name());
            Vec::new()
        })
    }

    /// As [`Self::post`]. Where what is beside the text is refused, because what is answered is gone, or somebody isn't there,
    /// the text goes alone, unless it may have been posted before with all that is beside it.
    async fn post_with(&mut self, room: &Room, client_id: &str, mut extras: Extras) -> Option<Message> {
        let sent = Instant::now();
        let (mut is_plain, mut may_be_posted) = (false, false);
        loop {
            let endpoint = &self.nodes[self.node];
            let variables = json!({ "roomId": room.id, "body": format!("body of {client_id}"), "clientId": client_id,
                "to": extras.answers, "users": extras.users, "all": extras.room, "files": extras.files });
            match ask(endpoint, &self.user.access_token, POST, variables).await {
                Err(refusal) if !(is_plain || refusal.passes() || may_be_posted && refusal.may_be_of_the_room()) => {
                    (extras, is_plain) = (Extras::default(), true);
                }
                Ok(data) => {
                    let message = Message::of(&data["postMessage"]["message"]);
                    let post = oracle::Acked {
                        room: room.id.clone(),
                        author: self.user.id.clone(),
                        client_id: client_id.to_owned(),
                        seq: message.seq,
                    };
                    self.answers.keep(Acked {
                        post,
                        files: extras.files.len(),
                        node: self.node,
                        sent,
                        answered: Instant::now(),
                    });
                    return Some(message);
                }
                Err(refusal) => {
                    self.answers.refused(refusal.name());
                    if !refusal.passes() {
                        return None;
                    }
                    may_be_posted = true;
                    if refusal == Refusal::Unreachable {
                        self.node = (self.node + 1) % self.nodes.len();
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Marks as read up to this message of one's own. Where the log was replaced by a copy without the message, the room
    /// may have none so late: that is no error of the server's.
    async fn mark(&self, message: &Message) {
        let mark = json!({ "roomId": message.room_id, "seq": message.seq });
        match ask(&self.nodes[self.node], &self.user.access_token, documents::MARK_READ, mark).await {
            Err(Refusal::Code(code)) if code == "BAD_USER_INPUT" => self.answers.refused(PAST_THE_END),
            Err(refusal) => self.answers.refused(refusal.name()),
            Ok(_) => {}
        }
    }

    /// Does one of the things that are done around messages, once. What is refused for good may be: a message is gone by then, or
    /// isn't this member's to pin.
    async fn do_around(&mut self, message: &Message) {
        let (document, variables) = match self.dice.below(4) {
            0 => (PIN, json!({ "id": message.id, "on": self.dice.below(3) > 0 })),
            1 => (MARK_UNREAD, json!({ "id": message.id })),
            _ => {
                let emoji = ["👍", "🎉", "❤️"][self.dice.below(3)];
                (REACT, json!({ "id": message.id, "emoji": emoji, "on": self.dice.below(3) > 0 }))
            }
        };
        if let Err(refusal) = ask(&self.nodes[self.node], &self.user.access_token, document, variables).await
            && refusal.passes()
        {
            self.answers.refused(refusal.name());
        }
    }

    /// Sends a request once, whatever its result.
    async fn once(&self, document: &str, variables: Value) {
        if let Err(refusal) = ask(&self.nodes[self.node], &self.user.access_token, document, variables).await {
            self.answers.refused(refusal.name());
        }
    }
}
