//! Whatever the locale of the database, the same is found.

use super::{expect_ten_scripts, expect_whole, found, indexed};
use crate::support::{Database, TestApp};

/// Of what PostgreSQL knows about letters: nothing but ASCII, all of Unicode, and the letters of Turkish, where `I` is no `i`.
const LOCALES: [(&str, &str); 3] = [
    ("C", "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"),
    ("C.utf8", "TEMPLATE template0 LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'"),
    ("C.utf8, tr", "TEMPLATE template0 LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8' LOCALE_PROVIDER icu ICU_LOCALE 'tr'"),
];

const LOCALE: &str = "SELECT concat_ws(', ', datctype, to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale') FROM pg_database d \
     WHERE datname = current_database()";

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn ten_scripts_are_found_in_the_c_locale_and_in_others_as_on_sqlite() {
    for (locale, options) in LOCALES {
        let app = TestApp::start_on(Database::made_with(options).await).await;
        assert_eq!(app.text(LOCALE, LOCALE).await, locale);
        expect_ten_scripts(&app).await;
        // Of the index as well, and not only among the newest.
        let ann = app.sign_in("ann").await;
        let room = ann.rooms().await.remove(0);
        for n in 0..30 {
            ann.post(&room, &format!("hay {n}")).await;
        }
        indexed(&app).await;
        for (text, expected) in [
            ("FRIDAY", "The merger is on Friday"),
            ("елка", "Ёлка в лесу"),
            ("市", "我住在上海市"),
            ("👍", "thanks 🌻👍🏽"),
        ] {
            assert_eq!(found(&ann, text).await, [expected], "{text} in {locale}");
        }
        expect_whole(&app).await;
    }
}
