//! What is said to the operator, to oneself or in a room stays there: neither the log nor somebody else's socket has it.

use serde_json::{Value, json};

use crate::support::{Backend, Database, Event, Feed, Message, Process, Room, TestUser, documents};

/// What lets every library log all that it has.
const EVERYTHING: &str = "trace,tungstenite=trace,tokio_tungstenite=trace,hyper=trace,axum=trace,tower_http=trace,\
    async_graphql=trace,sqlx=trace,sqlx::query=trace,sea_orm=trace,sqlx_core=trace,log=trace";

const WORDS: &str = "refuse\tqqrefused*\nmask\tqqmasked\nreport\tqqlisted\n";

/// What of a group its members alone may see, and what of reports and of the list of words nobody but the operator, but for who
/// has written it.
const OF_GROUP: [&str; 7] = ["qqname", "qqrenamed", "qqtopic", "qqcustom", "qqtext", "qqlisted", "qqfile"];
const OF_OPERATOR: [&str; 4] = ["qqnote", "qqrefused", "qqmasked", "HATE"];

const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
const POST_FILE: &str = "mutation($room: ID!, $files: [ID!]) {
    postMessage(roomId: $room, body: \"\", attachmentIds: $files) { message { attachments { url } } } }";
const REPORT: &str = "mutation($input: ReportInput!) { report(input: $input) { reportId } }";
const RESOLVE: &str = "mutation($id: ID!) { resolveReport(reportId: $id, outcome: ACTED) { report { note } } }";

/// All that comes before the marker, as text.
async fn told(feed: &mut Feed, marker: &Message) -> (String, Vec<String>) {
    let events: Vec<Event> = feed.until_posted(marker).await;
    let text = events.iter().map(|event| event.body.to_string()).collect();
    (text, events.into_iter().map(|event| event.kind).collect())
}

async fn report(user: &TestUser, input: Value) -> String {
    user.graphql(REPORT, json!({ "input": input })).await.text("/report/reportId").to_owned()
}

#[tokio::test]
async fn what_is_reported_blocked_and_kept_is_in_no_log_and_on_no_socket_of_somebody_else() {
    let database = Database::new().await;
    let words = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(words.path(), WORDS).expect("it can be written");
    let words = words.path().to_str().expect("a path is text");
    let server = Process::start(&database, &[("PARLOR_LOG", EVERYTHING), ("PARLOR_WORDS", words)]).await;
    let made = database.parlor(&["key", "add", "backend"]).output().await.expect("the program runs");
    let key = String::from_utf8(made.stdout).expect("a key is text").trim().to_owned();
    let backend = Backend::with_key(key.clone(), server.endpoint());
    let at = server.endpoint();
    let (ann, bob, eve, kim) = tokio::join!(at.user("ann"), at.user("bob"), at.user("eve"), at.user("kim"));
    let (shared, apart) = (ann.initiate_chat([&bob, &eve]).await, ann.initiate_chat([&kim]).await);
    let (mut anns, mut eves, mut kims) = (ann.subscribe().await, eve.subscribe().await, kim.subscribe().await);

    let members = json!([{ "userId": ann.id, "role": "OWNER" }, { "userId": bob.id }]);
    let input = json!({ "name": "qqname", "topic": "qqtopic", "custom": { "k": "qqcustom" }, "members": members });
    let made = backend.graphql(CREATE, json!({ "input": input })).await;
    let group = Room { id: made.text("/createRoom/room/id").to_owned() };
    let update = json!({ "roomId": group.id, "input": { "name": "qqrenamed" } });
    ann.graphql(documents::UPDATE_ROOM, update).await.data();
    let message = ann.post(&group, "qqtext").await;
    ann.post(&group, "qqlisted").await;
    let file = ann.upload("qqfile.txt", b"of the group").await;
    let posted = ann.graphql(POST_FILE, json!({ "room": group.id, "files": [file] })).await;
    let link = posted.text("/postMessage/message/attachments/0/url");
    assert_eq!(at.get(link).await.text().await.expect("a text"), "of the group");
    assert_eq!(bob.post(&group, "qqmasked").await.body, "********");
    let refused = json!({ "roomId": group.id, "body": "qqrefused" });
    assert_eq!(bob.graphql(documents::POST_MESSAGE, refused).await.error()["extensions"]["reason"], "REFUSED_WORD");
    let of_message = report(&bob, json!({ "messageId": message.id, "reason": "HATE", "note": "qqnote" })).await;
    let of_user = report(&bob, json!({ "userId": eve.id, "reason": "HATE", "note": "qqnote" })).await;
    for id in [of_message, of_user] {
        let resolved = backend.graphql(RESOLVE, json!({ "id": id })).await;
        assert_eq!(resolved["/resolveReport/report/note"], "qqnote");
    }
    bob.block(&ann, true).await;
    bob.block(&eve, true).await;

    let markers = (ann.post(&shared, "marker").await, ann.post(&apart, "marker").await);
    for (feed, marker) in [(&mut eves, &markers.0), (&mut kims, &markers.1)] {
        let (text, kinds) = told(feed, marker).await;
        for secret in OF_GROUP.iter().chain(&OF_OPERATOR) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!text.contains(&group.id) && !kinds.iter().any(|kind| kind == "BlocksChanged"), "{kinds:?} {text}");
    }
    // Whoever has blocked somebody is in the group as before, and is given its files; others aren't, with a link from within or without.
    let path = link.split_once('?').expect("a signature").0;
    for (user, status) in [(&bob, 200), (&eve, 404), (&kim, 404)] {
        let asked = at.http.get(at.url(path)).bearer_auth(&user.access_token).send();
        assert_eq!(asked.await.expect("the server responds").status(), status, "{}", user.username);
    }
    // Who was reported and blocked sees the own words, and nothing of that.
    let (text, kinds) = told(&mut anns, &markers.0).await;
    assert!(text.contains("qqtext") && !kinds.iter().any(|kind| kind == "BlocksChanged"), "{kinds:?}");
    for secret in OF_OPERATOR {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    let output = server.terminate().await;
    let logs = [output.stdout, output.stderr].concat();
    let logs = String::from_utf8_lossy(&logs);
    assert!(logs.contains("/graphql"), "requests are logged: {logs:.500}");
    for secret in OF_GROUP.iter().chain(&OF_OPERATOR[..3]).copied().chain([&*key]) {
        let told = logs.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "expected no {secret} in the logs");
    }
}
