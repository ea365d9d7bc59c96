//! Names are found in one form, however they are written, and by any of their words.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        let users = Users::of(manager);
        let mut after = String::from(NO_ID);
        while let Some(last) = users.step(&after).await? {
            after = last;
        }
        Ok(())
    }

    /// On SQLite too, so that a process that is killed meanwhile begins anew.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const UP: &str = r#"
CREATE TABLE user_word (
    word {text} NOT NULL,
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    PRIMARY KEY (word, user_id)
) {clustered};
CREATE INDEX user_word_of_user ON user_word (user_id, word);
CREATE INDEX user_search_name_username ON "user" (search_name, username);
DROP INDEX user_search_name;
"#;

/// Users in one step: with the words of their names, they are fewer parameters than SQLite takes.
const STEP: usize = 500;

/// Before all ids.
const NO_ID: &str = "00000000000000000000000000000000";

/// The users who are there. Their ids are 32 hexadecimal digits here.
struct Users<'m> {
    manager: &'m SchemaManager<'m>,
    /// An id from its text, and the text of the column `id`.
    from_text: fn(&str) -> String,
    as_text: &'static str,
}

impl<'m> Users<'m> {
    fn of(manager: &'m SchemaManager<'m>) -> Self {
        match manager.get_database_backend() {
            DbBackend::Postgres => Self {
                manager,
                from_text: |text| format!("CAST({text} AS uuid)"),
                as_text: "replace(CAST(id AS text), '-', '')",
            },
            _ => Self { manager, from_text: |text| format!("unhex({text})"), as_text: "hex(id)" },
        }
    }

    /// Writes the names of the next users after this id, and returns the last of them. `None`: there are no more.
    async fn step(&self, after: &str) -> Result<Option<String>, DbErr> {
        let select = format!(
            "SELECT {} AS id, display_name FROM \"user\" WHERE deleted_at IS NULL AND id > {} ORDER BY \"user\".id LIMIT {STEP}",
            self.as_text,
            (self.from_text)("$1")
        );
        let found = self.manager.get_connection().query_all_raw(self.statement(&select, vec![after.into()])).await?;
        let (mut names, mut words_of_all, mut last) = (Vec::new(), Vec::new(), None);
        for row in found {
            let id: String = row.try_get("", "id")?;
            let folded = fold(&row.try_get::<String>("", "display_name")?);
            words_of_all.extend(words(&folded).into_iter().map(|word| [word, id.clone()]));
            names.push([folded, id.clone()]);
            last = Some(id);
        }
        let id = (self.from_text)("given.id");
        let update = format!(
            "UPDATE \"user\" SET search_name = given.name FROM given \
             WHERE \"user\".id = {id} AND \"user\".search_name <> given.name"
        );
        self.run("name", names, &update).await?;
        self.run("word", words_of_all, &format!("INSERT INTO user_word (word, user_id) SELECT word, {id} FROM given"))
            .await?;
        Ok(last)
    }

    /// Runs a statement on these rows, which it knows as `given`.
    async fn run(&self, column: &str, rows: Vec<[String; 2]>, sql: &str) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let places: Vec<String> = (0..rows.len()).map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2)).collect();
        let sql = format!("WITH given ({column}, id) AS (VALUES {}) {sql}", places.join(", "));
        let values = rows.into_iter().flatten().map(Value::from).collect();
        self.manager.get_connection().execute_raw(self.statement(&sql, values)).await.map(drop)
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.manager.get_database_backend(), sql, values)
    }
}

/// The form in which names are compared, as it was when this was written: NFKC, case-folded, without what is ignored by
/// default, and without the dot of `İ`.
fn fold(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let kept: String = text.chars().filter(|c| !ignorable.contains(*c)).collect();
    let mut folded = String::with_capacity(kept.len());
    let cases = |c: char| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    for c in nfkc.normalize(&kept).chars().flat_map(cases) {
        if c != '\u{307}' || !folded.ends_with('i') {
            folded.push(c);
        }
    }
    nfkc.normalize(&folded).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a folded name: runs of letters, digits and marks, and runs of symbols.
fn words(folded: &str) -> Vec<String> {
    let category = CodePointMapData::<GeneralCategory>::new();
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in folded.chars() {
        let is_symbol = match category.get(c) {
            mark if GeneralCategoryGroup::Mark.contains(mark) => Some(before.unwrap_or(false)),
            _ if c.is_alphanumeric() => Some(false),
            GeneralCategory::OtherSymbol | GeneralCategory::ModifierSymbol => Some(true),
            _ => None,
        };
        match words.last_mut() {
            Some(word) if is_symbol.is_some() && is_symbol == before => word.push(c),
            _ if is_symbol.is_some() => words.push(c.to_string()),
            _ => {}
        }
        before = is_symbol;
    }
    words.sort_unstable();
    words.dedup();
    words
}
