//! Names: finding people by them, and what may be one.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestUser, documents};

const SEARCH: &str = "query Search($search: String, $first: Int = 100, $after: String) {
  users(search: $search, first: $first, after: $after) {
    edges { match node { username } } pageInfo { hasNextPage endCursor } } }";

async fn try_sign_up(app: &TestApp, username: &str, display_name: &str) -> Answer {
    let input = json!({ "username": username, "password": "long enough", "displayName": display_name });
    app.anonymous(documents::SIGN_UP, json!({ "input": input })).await
}

async fn sign_up(app: &TestApp, username: &str, display_name: &str) -> TestUser {
    let answer = try_sign_up(app, username, display_name).await;
    TestUser::from_session(app.endpoint().clone(), &answer["/signUp"])
}

fn edges(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    answer.list("/users/edges").iter().map(|edge| (text(&edge["node"]["username"]), text(&edge["match"]))).collect()
}

async fn found(user: &TestUser, search: &str) -> Vec<String> {
    let answer = user.graphql(SEARCH, json!({ "search": search })).await;
    edges(&answer).into_iter().map(|(username, _)| username).collect()
}

/// Names, and what finds them.
const WRITTEN: [(&str, &str, &[&str]); 11] = [
    ("anastasios", "ΑΝΑΣΤΑΣΙΟΣ", &["ΑΝΑΣ", "ανας", "ανασ", "αναστασιος"]),
    ("nikos", "Θεία ΝΙΚΟΣ", &["νικοσ", "νικος", "ΘΕΊΑ ν"]),
    ("ipek", "İpek", &["ip", "IP", "İP", "I\u{307}p", "ıp"]),
    ("strasse", "Kim Straße", &["STRASSE", "straẞe", "strass"]),
    ("dana", "דנה לוי", &["\u{200f}דנ", "\u{2067}לוי\u{2069}"]),
    ("maria", "Maria del Mar Lopez-Núñez", &["Lopez", "mar lop", "lopez MARIA", "NU\u{301}N\u{303}", "núñ"]),
    ("taro", "田中 太郎", &["太郎", "田", "太"]),
    ("nguyen", "Trần Nguyễn", &["nguye\u{302}\u{303}n", "NGUYỄ", "tra\u{302}\u{300}n ng"]),
    ("hindi", "राज \u{958}ान", &["\u{915}\u{93c}ा", "रा"]),
    ("wide", "Ｗｉｄｅ ﬁne", &["wide", "fin", "ＦＩＮＥ"]),
    ("moji", "Zed ❤\u{fe0f} 👩\u{200d}🚀", &["❤", "👩🚀", "👩\u{200d}🚀 zed"]),
];

#[tokio::test]
async fn names_are_found_however_they_are_written() {
    let app = TestApp::start().await;
    let eve = app.user("eve").await;
    for (username, display_name, _) in WRITTEN {
        sign_up(&app, username, display_name).await;
    }
    for (username, display_name, searches) in WRITTEN {
        for search in searches {
            let found = found(&eve, search).await;
            assert!(found.iter().any(|found| found == username), "{display_name} by {search:?}: {found:?}");
        }
    }
    for search in ["opez", "郎", "lopez x", "%", "-", "guyen"] {
        assert!(found(&eve, search).await.is_empty(), "{search:?}");
    }
    let everybody = found(&eve, "").await;
    assert_eq!(found(&eve, "\u{200f} ").await, everybody, "what is ignored searches for nothing");
}

#[tokio::test]
async fn the_best_match_comes_first_and_says_why() {
    let app = TestApp::start().await;
    let ann = sign_up(&app, "ann", "Zoe").await;
    for (username, display_name) in [
        ("zed", "Mary Ann Annika"),
        ("anna", "Beth"),
        ("berta", "Annabel Ann"),
        ("carl", "Ann"),
        ("yuri", "Ann Arbor"),
        ("ann.b", "Ann"),
        ("xaver", "Lee-Ann"),
        ("other", "Joann"),
    ] {
        sign_up(&app, username, display_name).await;
    }

    let answer = ann.graphql(SEARCH, json!({ "search": "ANN" })).await;
    let all = ann.graphql(SEARCH, json!({})).await;

    let expected = [
        ("ann", "USERNAME"),
        ("ann.b", "USERNAME_PREFIX"),
        ("anna", "USERNAME_PREFIX"),
        ("carl", "NAME_PREFIX"),
        ("yuri", "NAME_PREFIX"),
        ("berta", "NAME_PREFIX"),
        ("zed", "WORD_PREFIX"),
        ("xaver", "WORD_PREFIX"),
    ];
    assert_eq!(edges(&answer), expected.map(|(username, why)| (username.to_owned(), why.to_owned())));
    assert_eq!(edges(&all).len(), 9);
    assert!(edges(&all).is_sorted() && edges(&all).iter().all(|(_, why)| why == "-"), "the list of all has no reasons");
}

#[tokio::test]
async fn pages_of_a_search_meet_without_gap_or_overlap() {
    let app = TestApp::start().await;
    let ann = sign_up(&app, "lee", "Somebody").await;
    for n in 0..4 {
        sign_up(&app, &format!("lee{n}"), "Lee").await;
        sign_up(&app, &format!("a{n}"), "Lee").await;
        sign_up(&app, &format!("b{n}"), &format!("Lee{} Leeway", 9 - n)).await;
        sign_up(&app, &format!("c{n}"), "Ann Lee Leeds").await;
        sign_up(&app, &format!("d{n}"), &format!("Bob Lee/{n} Lee{n}")).await;
    }
    let answer = ann.graphql(SEARCH, json!({ "search": "lee" })).await;
    let all = edges(&answer);
    assert_eq!(all.len(), 21);

    for size in 1..=5 {
        let (mut paged, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = ann.graphql(SEARCH, json!({ "search": "lee", "first": size, "after": after })).await;
            paged.extend(edges(&answer));
            let info = &answer["/users/pageInfo"];
            if info["hasNextPage"] != true {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(paged, all, "in pages of {size}");
    }
}

#[tokio::test]
async fn a_cursor_of_the_list_of_all_is_none_of_a_search() {
    let app = TestApp::start().await;
    let [ann, _bob] = app.users(["ann", "bob"]).await;
    let mut cursors = Vec::new();
    for search in [json!("a"), Value::Null] {
        let answer = ann.graphql(SEARCH, json!({ "search": search, "first": 1 })).await;
        cursors.push(answer["/users/pageInfo/endCursor"].clone());
    }
    for (search, after) in [(Value::Null, &cursors[0]), (json!("a"), &cursors[1])] {
        let answer = ann.graphql(SEARCH, json!({ "search": search, "after": after })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "after"));
    }
}

/// A text that the database makes by a statement with the name of the function that lists texts.
async fn both(app: &TestApp, sql: impl Fn(&str) -> String) -> String {
    app.text(&sql("group_concat"), &sql("string_agg")).await
}

#[tokio::test]
async fn users_from_before_are_found_like_those_who_sign_up_now() {
    let mut app = TestApp::start().await;
    let eve = app.user("eve").await;
    for (username, display_name, _) in WRITTEN {
        sign_up(&app, username, display_name).await;
    }
    sign_up(&app, "blank", "was replaced").await;
    app.execute("UPDATE \"user\" SET display_name = '\u{3164}\u{2028}\u{ffff}' WHERE username = 'blank'").await;
    let names = |list: &str| {
        format!(
            "SELECT {list}(name, '|') FROM (SELECT username || search_name AS name FROM \"user\" \
                 WHERE username <> 'blank' ORDER BY username) AS names"
        )
    };
    let words = |list: &str| {
        format!(
            "SELECT {list}(word, '|') FROM (SELECT username || word AS word FROM user_word \
                 JOIN \"user\" ON id = user_id WHERE username <> 'blank' ORDER BY 1) AS words"
        )
    };
    let before = (both(&app, names).await, both(&app, words).await);

    app.execute("DROP TABLE user_word").await;
    app.execute("DROP INDEX user_search_name_username").await;
    app.execute("CREATE INDEX user_search_name ON \"user\" (search_name)").await;
    app.execute("UPDATE \"user\" SET search_name = lower(display_name)").await;
    app.execute("DELETE FROM seaql_migrations WHERE version = 'm0008_names'").await;
    app.restart().await;

    let after = (both(&app, names).await, both(&app, words).await);
    assert_eq!(after, before);
    assert_eq!(found(&eve, "太郎").await, ["taro"]);
    let name = "query { users(search: \"blank\") { nodes { displayName } } }";
    let shown = eve.graphql(name, json!({})).await;
    assert_eq!(shown.text("/users/nodes/0/displayName"), "\u{3164}\u{2028}\u{ffff}", "what was a name is still shown");
}

#[tokio::test]
async fn the_words_of_a_deleted_user_are_deleted() {
    let app = TestApp::start().await;
    let ann = sign_up(&app, "ann", "Ann Lee").await;
    let count = "SELECT CAST(count(*) AS text) FROM user_word";
    assert_eq!(app.text(count, count).await, "2");
    ann.delete_account().await;
    assert_eq!(app.text(count, count).await, "0");
}

#[tokio::test]
async fn a_name_that_shows_nothing_or_turns_text_around_is_refused() {
    let app = TestApp::start().await;
    for name in [
        "\u{200b}",
        "\u{3164}",
        "\u{2800}",
        "\u{feff}",
        "\u{ffff}",
        "\u{115f}\u{1160}",
        "\u{ffa0}",
        "\u{e0041}\u{e007f}",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{2066}b\u{2069}",
        "a\u{2028}b",
        "a\u{2029}b",
        "Ann\u{e0041}",
        "Ann\u{fffe}",
    ] {
        let answer = try_sign_up(&app, "ann", name).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "displayName"), "{name:?}");
    }
    let names = [
        "👩\u{200d}🚀 ❤\u{fe0f}",
        "\u{200f}דנה",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "می\u{200c}خواهم",
    ];
    for (n, name) in names.into_iter().enumerate() {
        let answer = try_sign_up(&app, &format!("user{n}"), name).await;
        assert_eq!(answer.text("/signUp/user/displayName"), name);
    }
}

#[tokio::test]
async fn a_body_shows_something_and_keeps_its_indentation() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "    code\n  more").await;
    assert_eq!(message.body, "    code\n  more");
    assert_eq!(ann.edit(&message, "\n \n\tcode \n").await.body, "\tcode");

    for body in ["\u{200b}", "\u{3164}\n\u{2800}", "\u{feff}", "\u{ffff}", "\u{e0041}", "\u{202e}\u{2069}", "\u{ffa0}"]
    {
        let posted = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await;
        let edited = ann.graphql(documents::EDIT_MESSAGE, json!({ "messageId": message.id, "body": body })).await;
        for answer in [posted, edited] {
            assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "body"), "{body:?}");
        }
    }
    for body in ["👩\u{200d}🚀", "❤\u{fe0f}", "a\u{202e}b", "a\u{2028}b"] {
        assert_eq!(ann.post(&room, body).await.body, body);
    }
}
