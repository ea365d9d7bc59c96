//! What is found is what the one function finds, whatever the database, and however often texts change.

use parlor::text::search::Query;
use serde_json::json;

use super::{bodies, expect_whole, indexed, search};
use crate::support::{Message, TestApp};

/// A generator of numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap_or_default() % bound
    }

    /// Some of these pieces, with what separates words between some of them.
    fn text(&mut self, at_most: usize) -> String {
        let pieces = [
            "merger",
            "Mer",
            "m",
            "Crème",
            "creme",
            "Straße",
            "ΣΊΣΥΦΟΣ",
            "σίσυφος",
            "ёлка",
            "Елка",
            "שָׁלוֹם",
            "שלום",
            "مُحَمَّد",
            "محمد",
            "कुमार",
            "上",
            "海",
            "上海",
            "京",
            "东京",
            "タワー",
            "ﾀﾜｰ",
            "한국",
            "국어",
            "ภาษา",
            "ไทย",
            "ကျော်",
            "🌻",
            "👍🏽",
            "👩\u{200d}🚀",
            "7",
            "２０２６",
            "report.pdf",
            "it's",
            "'",
            "\"",
            "\\",
            "*",
            "(",
            "&|!",
            "ﬁx",
            "x\u{301}",
        ];
        let mut text = String::new();
        for _ in 0..=self.below(at_most) {
            text.push_str(pieces[self.below(pieces.len())]);
            text.push_str([" ", "", ", ", "\n"][self.below(4)]);
        }
        text
    }
}

#[tokio::test]
async fn what_is_found_is_what_the_function_finds_through_edits_and_deletions() {
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms =
        [ann.initiate_chat([&bob]).await, ann.initiate_chat([&eve]).await, ann.initiate_chat([&bob, &eve]).await];
    let mut said: Vec<(usize, Message, String)> = Vec::new();
    for round in 0..6 {
        for _ in 0..25 {
            let (room, text) = (dice.below(3), dice.text(6));
            let message = ann.post(&rooms[room], &text).await;
            said.push((room, message.clone(), message.body));
        }
        for _ in 0..12 {
            let n = dice.below(said.len());
            if dice.below(3) == 0 {
                let (_, message, _) = said.remove(n);
                ann.delete(&message).await;
            } else {
                said[n].2 = ann.edit(&said[n].1, &dice.text(6)).await.body;
            }
        }
        if round % 2 == 0 {
            indexed(&app).await;
        }
    }
    indexed(&app).await;
    let mut found = 0;
    for _ in 0..120 {
        let text = dice.text(2);
        let query = Query::parse(&text).expect("it is short");
        for (user, theirs) in [(&ann, &[0, 1, 2][..]), (&bob, &[0, 2]), (&eve, &[1, 2])] {
            let expected = said.iter().rev().filter(|(room, ..)| theirs.contains(room));
            let expected = expected.filter(|(.., body)| query.as_ref().is_some_and(|query| query.matches(body)));
            let expected: Vec<_> = expected.map(|(.., body)| body.clone()).collect();
            let answer = search(user, json!({ "text": text, "first": 100 })).await;
            assert_eq!(bodies(&answer), expected[..expected.len().min(100)], "{text:?}");
            found += expected.len();
        }
    }
    assert!(found > 500, "much is found: {found}");
    expect_whole(&app).await;
}

#[tokio::test]
async fn the_index_of_sqlite_is_sound_and_empty_when_everything_is_deleted() {
    if std::env::var_os("PARLOR_TEST_POSTGRES").is_some_and(|server| !server.is_empty()) {
        return;
    }
    let mut dice = Dice(0x0dd_ba11);
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut said = Vec::new();
    for _ in 0..150 {
        said.push(ann.post(&room, &dice.text(8)).await);
    }
    for message in said.iter().step_by(2) {
        ann.edit(message, &dice.text(8)).await;
    }
    indexed(&app).await;
    for message in said.iter().step_by(3) {
        ann.edit(message, &dice.text(8)).await;
    }
    app.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')").await;
    for message in &said {
        ann.delete(message).await;
    }
    app.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')").await;
    let left = "SELECT CAST(count(*) AS text) FROM search_tokens";
    assert_eq!(app.text(left, left).await, "0");
    app.restart().await;
    assert_eq!(ann.messages(&room).await.len(), 100, "tombstones");
    expect_whole(&app).await;
}
