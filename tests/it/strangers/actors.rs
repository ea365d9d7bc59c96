//! Everybody who may ask, in turn, and everything that can be asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rows::{About, rows};
use super::sdl::Sdl;
use crate::support::{Answer, Backend, Room, TestApp, TestUser, documents};

const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
const BAN: &str = "mutation($id: ID!, $user: ID!) { banMember(roomId: $id, userId: $user, banned: true) { userId } }";
const REPORT: &str = "mutation($input: ReportInput!) { report(input: $input) { reportId } }";

/// What isn't asked about a room, a message, a report or a member of a room, and so needs no row: whose it is, or where it is
/// held against what it may tell.
const ELSEWHERE: &[(&str, &str)] = &[
    ("Query.me", "one's own"),
    ("Query.viewer", "one's own"),
    ("Query.sessions", "one's own"),
    ("Query.rooms", "one's own"),
    ("Query.syncCursor", "resume::sealed"),
    ("Query.errorReasons", "the same for everybody"),
    ("Query.user", "strangers::directory"),
    ("Query.users", "strangers::directory"),
    ("Query.userByExternalId", "strangers::directory"),
    ("Query.openRooms", "group::open"),
    ("Query.invite", "group::links"),
    ("Mutation.joinRoom(inviteId)", "strangers, with the invites of others"),
    ("Mutation.joinRoom(code)", "group::links"),
    ("Mutation.closeInvite", "strangers, with the invites of others"),
    ("Mutation.signUp", "account"),
    ("Mutation.signIn", "account"),
    ("Mutation.signOut", "one's own"),
    ("Mutation.refreshSession", "session"),
    ("Mutation.changePassword", "one's own"),
    ("Mutation.deleteAccount", "one's own"),
    ("Mutation.endSession", "strangers, with the sessions of others"),
    ("Mutation.endOtherSessions", "one's own"),
    ("Mutation.updateProfile", "one's own"),
    ("Mutation.registerDevice", "one's own"),
    ("Mutation.unregisterDevice", "notifications::devices"),
    ("DeviceInput.", "one's own"),
    ("Mutation.createUpload", "attachments"),
    ("UploadInput.", "attachments"),
    ("Mutation.blockUser", "strangers::directory"),
    ("Mutation.initiateChat(userIds)", "strangers::directory"),
    ("Mutation.initiateChat(type)", "strangers::directory"),
    ("Mutation.createRoom", "strangers::directory"),
    ("Mutation.issueToken", "strangers::directory"),
    ("Mutation.revokeTokens", "strangers::directory"),
    ("Mutation.upsertUsers", "strangers::directory"),
    ("Query.webhooks", "webhooks::asking"),
    ("Query.webhookFailures", "webhooks::asking"),
    ("Query.log", "webhooks::asking"),
    ("Mutation.createWebhook", "webhooks::asking"),
    ("Mutation.updateWebhook", "webhooks::asking"),
    ("Mutation.replayWebhook", "webhooks::asking"),
    ("Mutation.deleteWebhook", "webhooks::asking"),
    ("WebhookInput.", "webhooks::asking"),
    ("Subscription.events", "one's own"),
    ("Subscription.messagePosted", "delivery::posts"),
    ("CreateRoomInput.", "strangers::directory"),
    ("NewMember.", "strangers::directory"),
    ("ReportInput.userId", "strangers::directory"),
    ("SignInInput.", "account"),
    ("SignUpInput.", "account"),
    ("UserInput.", "host"),
];

/// A group that the app's backend has made, and everybody who has to do with it.
struct Town {
    backend: Backend,
    ann: TestUser,
    bob: TestUser,
    kim: TestUser,
    dan: TestUser,
    lee: TestUser,
    eve: TestUser,
    zoe: TestUser,
    sam: TestUser,
    app: TestApp,
}

impl Town {
    async fn start() -> Self {
        let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
        let [ann, bob, kim, dan] = app.users(["ann", "bob", "kim", "dan"]).await;
        let [lee, eve, zoe, sam] = app.users(["lee", "eve", "zoe", "sam"]).await;
        let backend = app.backend("backend").await;
        for user in [&ann, &lee] {
            user.block(&dan, true).await;
            user.block(&sam, true).await;
        }
        Self { backend, ann, bob, kim, dan, lee, eve, zoe, sam, app }
    }

    /// A group of ann, its owner, bob, a moderator, kim, dan and lee, members. eve has left it, zoe was banned. lee has written
    /// what one of them has reported.
    async fn group(&self, name: &str) -> About {
        let member = |user: &TestUser| json!({ "userId": user.id });
        let mut members = vec![json!({ "userId": self.ann.id, "role": "OWNER" })];
        members.push(json!({ "userId": self.bob.id, "role": "MODERATOR" }));
        members.extend([&self.kim, &self.dan, &self.lee, &self.eve, &self.zoe].map(member));
        let made = self.backend.graphql(CREATE, json!({ "input": { "externalId": name, "members": members } })).await;
        let room = Room { id: made.text("/createRoom/room/id").to_owned() };
        let message = self.lee.post(&room, "secret").await.id;
        let input = json!({ "messageId": message, "reason": "HATE" });
        // Nobody may have more than a hundred reports open.
        let reporters = [&self.eve, &self.zoe, &self.dan, &self.kim];
        let reporter = reporters[name.bytes().map(usize::from).sum::<usize>() % reporters.len()];
        let report = reporter.graphql(REPORT, json!({ "input": input })).await.text("/report/reportId").to_owned();
        self.eve.leave(&room).await;
        self.ann.graphql(BAN, json!({ "id": room.id, "user": self.zoe.id })).await.data();
        About { room: room.id, message, report, member: self.lee.id.clone() }
    }
}

/// `ok`, or the reason or the code of the first error; `null` when a single thing wasn't found.
fn outcome(answer: &Answer) -> String {
    match answer.body["errors"].as_array().and_then(|errors| errors.first()) {
        Some(error) => {
            let of = &error["extensions"];
            of["reason"].as_str().or(of["code"].as_str()).expect("an error has a code").to_owned()
        }
        None if answer.body["data"].as_object().is_some_and(|data| data.values().any(Value::is_null)) => {
            "null".to_owned()
        }
        None => "ok".to_owned(),
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let town = Town::start().await;
    let sdl = Sdl::read();
    let mut faults: Vec<String> = Vec::new();
    for (n, row) in rows(&sdl).into_iter().enumerate() {
        let [member, moderator, owner, key] = row.outcomes;
        let users = [
            ("member", &town.kim, member),
            ("blocked", &town.dan, member),
            ("moderator", &town.bob, moderator),
            ("owner", &town.ann, owner),
        ];
        for (who, user, expected) in users {
            let about = town.group(&format!("{n}-{who}")).await;
            let answer = user.graphql(&row.document, (row.variables)(&about)).await;
            if outcome(&answer) != expected {
                faults.push(format!("{who}: {expected} expected, {} to {:.200}", answer.body, row.document));
            }
        }
        let about = town.group(&format!("{n}-key")).await;
        let mut asked = (row.variables)(&about);
        if row.document.contains("roomByExternalId") {
            asked = json!({ "id": format!("{n}-key") });
        }
        let answer = town.backend.graphql(&row.document, asked).await;
        if outcome(&answer) != key {
            faults.push(format!("key: {key} expected, {} to {:.200}", answer.body, row.document));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn to_those_outside_everything_of_a_group_looks_as_if_it_were_not_there() {
    const UNTOUCHED: &str =
        "SELECT count(*) || ':' || max(seq) FROM message WHERE deleted_at IS NULL AND edited_at IS NULL";
    let town = Town::start().await;
    let (sdl, group) = (Sdl::read(), town.group("order:42").await);
    let nothing = About::nothing(&town.lee.id);
    let by_apps_id = About { room: "ext:order:42".to_owned(), ..group.clone() };
    let no_apps_id = About { room: "ext:order:43".to_owned(), ..nothing.clone() };
    for row in rows(&sdl) {
        for (who, user) in [("stranger", &town.sam), ("former", &town.eve), ("banned", &town.zoe)] {
            for (there, absent) in [(&group, &nothing), (&by_apps_id, &no_apps_id)] {
                let seen = user.graphql(&row.document, (row.variables)(there)).await;
                let unknown = user.graphql(&row.document, (row.variables)(absent)).await;
                assert_eq!((seen.status, &seen.body), (unknown.status, &unknown.body), "{who}: {:.200}", row.document);
            }
        }
    }
    assert_eq!(town.app.text(UNTOUCHED, UNTOUCHED).await, "1:1", "nothing was changed by asking");
    let open = town.ann.graphql(documents::MEMBERS, json!({ "roomId": group.room })).await;
    assert_eq!(open.list("/room/members/nodes").len(), 5);
}

#[test]
fn everything_that_can_be_asked_has_a_row_or_a_reason_why_it_needs_none() {
    let sdl = Sdl::read();
    let about = About::nothing(super::NOBODY);
    let mut asked: BTreeSet<String> =
        rows(&sdl).iter().flat_map(|row| sdl.asked(&row.document, &(row.variables)(&about))).collect();
    asked.extend(super::directory::rows().flat_map(|(document, variables)| sdl.asked(document, &variables("user_x"))));
    let mut used: BTreeMap<&str, usize> = ELSEWHERE.iter().map(|(name, _)| (*name, 0)).collect();
    let mut lacking = Vec::new();
    for name in sdl.askable() {
        let elsewhere = ELSEWHERE.iter().find(|(it, _)| {
            name.strip_prefix(it).is_some_and(|rest| rest.is_empty() || it.ends_with('.') || rest.starts_with('('))
        });
        match elsewhere {
            Some((it, _)) => *used.entry(it).or_default() += 1,
            None if !asked.contains(&name) => lacking.push(name),
            None => {}
        }
    }
    assert!(lacking.is_empty(), "no row of tests/it/strangers/ asks for {lacking:#?}");
    let stale: Vec<&str> = used.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect();
    assert!(stale.is_empty(), "the contract doesn't have {stale:?}");
}
