//! Files that messages are posted with: sent through whatever fails, and compared at the end with what their messages say.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use parlor::store::entity::{attachment, message};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;

use crate::oracle::Findings;
use crate::sender::{Acked, Refusal, ask};
use crate::support::{Endpoint, TestUser};

/// How long the bytes of a file may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most messages whose files are fetched.
const FETCHED: usize = 300;

const CREATE: &str = "mutation($name: String!, $size: Int!) {
    createUpload(input: { name: $name, size: $size }) { attachment { id } uploadUrl } }";
const FILES: &str = "query($id: ID!) { node(id: $id) { ... on Message { attachments { name url } } } }";

/// What the files of the post of this name are called.
fn names(client_id: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{client_id}-{n}of{count}")).collect()
}

/// What is in the file of this name.
fn contents(name: &str) -> Vec<u8> {
    name.repeat(50).into_bytes()
}

/// Sends so many files for the post of this name, once. Returns their ids, unless one isn't taken.
pub async fn send(node: &Endpoint, token: &str, client_id: &str, count: usize) -> Result<Vec<String>, Refusal> {
    let mut ids = Vec::new();
    for name in names(client_id, count) {
        let bytes = contents(&name);
        let announced = ask(node, token, CREATE, json!({ "name": name, "size": bytes.len() })).await?;
        let announced = &announced["createUpload"];
        let url = announced["uploadUrl"].as_str().ok_or(Refusal::Unreachable)?;
        let sent = node.http.put(node.url(url)).timeout(PATIENCE).body(bytes).send().await;
        if !sent.is_ok_and(|answer| answer.status().is_success()) {
            return Err(Refusal::Unreachable);
        }
        ids.extend(announced["attachment"]["id"].as_str().map(str::to_owned));
    }
    Ok(ids)
}

/// Compares what messages have with what they were posted with: as many as was acknowledged, none twice, none of another message,
/// in their order. Where no database was put in place of another, each can be fetched, whole.
///
/// # Panics
/// When the database can't be read.
pub async fn judge(
    db: &DatabaseConnection,
    home: Option<&Endpoint>,
    users: &[TestUser],
    acked: &[&Acked],
    findings: &mut Findings,
) {
    let living = message::Entity::find().filter(message::Column::DeletedAt.is_null());
    let living = living.filter(message::Column::ClientId.is_not_null()).all(db).await.expect("messages can be read");
    let posted = attachment::Entity::find()
        .filter(attachment::Column::MessageId.is_not_null())
        .filter(attachment::Column::DeletedAt.is_null())
        .order_by_asc(attachment::Column::Place);
    let mut files: HashMap<_, Vec<String>> = HashMap::new();
    for file in posted.all(db).await.expect("files can be read") {
        files.entry(file.message_id.expect("it has a message")).or_default().push(file.name);
    }
    let promised: HashMap<_, _> =
        acked.iter().map(|acked| ((&*acked.post.author, &*acked.post.client_id), acked.files)).collect();
    let mut whole = BTreeMap::new();
    for message in &living {
        let client_id = message.client_id.as_deref().unwrap_or_default();
        let author = message.author_id.to_string();
        let found = files.remove(&message.id).unwrap_or_default();
        let counted = usize::try_from(message.attachment_count).unwrap_or_default();
        let promised = promised.get(&(&*author, client_id)).copied().unwrap_or(counted);
        compare(&message.id.to_string(), &names(client_id, promised), &found, findings);
        if !found.is_empty() {
            whole.insert(message.id.to_string(), (author, found));
        }
    }
    for (message, found) in files {
        findings.counts.phantom += found.len();
        findings.note(|| format!("phantom: {found:?} are files of {message}, which isn't there"));
    }
    let Some(home) = home else { return };
    for (message, (author, expected)) in whole.into_iter().take(FETCHED) {
        let Some(author) = users.iter().find(|user| user.id == author) else { continue };
        let shown = fetched(home, author, &message).await;
        let whole: Vec<_> = expected.iter().map(|name| (name.clone(), contents(name))).collect();
        if shown.as_ref().ok() != Some(&whole) {
            findings.counts.differing += 1;
            let shown =
                shown.map(|shown| shown.into_iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>());
            findings.note(|| format!("differing: {message} was posted with {expected:?}, and has {shown:?}"));
        }
    }
}

fn compare(message: &str, expected: &[String], found: &[String], findings: &mut Findings) {
    let times = |name: &String| found.iter().filter(|found| *found == name).count();
    let lost = expected.iter().filter(|name| times(name) == 0).count();
    let doubled: usize = expected.iter().map(|name| times(name).saturating_sub(1)).sum();
    let phantom = found.iter().filter(|name| !expected.contains(name)).count();
    let is_reordered = lost + doubled + phantom == 0 && expected != found;
    findings.counts.lost += lost;
    findings.counts.doubled += doubled;
    findings.counts.phantom += phantom;
    findings.counts.reordered += usize::from(is_reordered);
    if expected != found {
        findings.note(|| format!("files: {message} was posted with {expected:?}, and has {found:?}"));
    }
}

/// The files of this message as its author is shown them: their names and their bytes.
async fn fetched(home: &Endpoint, author: &TestUser, message: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let shown = ask(home, &author.access_token, FILES, json!({ "id": message })).await;
    let shown = shown.map_err(|refusal| refusal.name().to_owned())?;
    let mut files = Vec::new();
    for file in shown["node"]["attachments"].as_array().into_iter().flatten() {
        let (name, url) = (file["name"].as_str().unwrap_or_default(), file["url"].as_str().unwrap_or_default());
        let given = home.http.get(home.url(url)).send().await.map_err(|error| error.to_string())?;
        let status = given.status();
        let bytes = given.bytes().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{name}: {status}"));
        }
        files.push((name.to_owned(), bytes.to_vec()));
    }
    Ok(files)
}

/// Files that are lost, twice, another's, or in another order are noticed.
pub fn files_that_are_not_as_posted_are_noticed() {
    let expected = names("post", 2);
    let [one, two] = [expected[0].clone(), expected[1].clone()];
    let judged = |found: &[String]| {
        let mut findings = Findings::default();
        compare("message", &expected, found, &mut findings);
        let counts = findings.counts;
        (counts.lost, counts.doubled, counts.phantom, counts.reordered)
    };
    assert_eq!(judged(&expected), (0, 0, 0, 0));
    assert_eq!(judged(&[]), (2, 0, 0, 0));
    assert_eq!(judged(&expected[..1]), (1, 0, 0, 0));
    assert_eq!(judged(&[one.clone(), one.clone(), two.clone()]), (0, 1, 0, 0));
    assert_eq!(judged(&[one.clone(), two.clone(), "other".to_owned()]), (0, 0, 1, 0));
    assert_eq!(judged(&[two, one]), (0, 0, 0, 1));
}
