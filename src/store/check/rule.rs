//! What a rule of `parlor check` is.

use sea_orm::{ActiveEnum, DbBackend, Iterable};

use crate::store::kinds::{About, Audience, Kind, KindRow};

/// A condition that always holds.
pub(super) struct Rule {
    /// Its name, for the first column of the report.
    pub name: &'static str,
    /// What a row that breaks it is, and hence which columns the statement returns beside the text `what`.
    pub breach: Breach,
    /// The one database on which the rule makes sense; `None` for both.
    pub only_on: Option<DbBackend>,
    /// The statement. `{first_kept}` is the position of the oldest event that was not trimmed, and `{settled}` a moment
    /// after which no trimmed event happened. The name of a kind in braces is its number, and [`LISTS`] has lists of
    /// kinds.
    pub sql: &'static str,
}

/// What a row that breaks a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    /// Nothing that has an id.
    Database,
    /// Column `position`.
    Event,
    /// Columns `room_id` and `user_id`.
    Member,
    /// Column `id`.
    Room,
    /// Column `id`.
    Message,
    /// Column `id`.
    User,
    /// A row of the table that the text names; column `id`.
    Row,
}

/// Whether a kind's row belongs to a list.
type Fits = fn(KindRow) -> bool;

/// Lists of kinds that statements name in braces, by what the kinds' rows have in common.
const LISTS: [(&str, Fits); 8] = [
    ("{about_message}", |row| row.about == About::Message),
    ("{about_member}", |row| row.about == About::Member),
    ("{to_room}", |row| row.audience != Audience::User),
    ("{names_room}", |row| row.audience == Audience::User && matches!(row.about, About::Room | About::Marks)),
    ("{about_block}", |row| row.about == About::Block),
    ("{about_invite}", |row| row.about == About::Invite),
    ("{about_report}", |row| row.about == About::Report),
    ("{to_user}", |row| row.audience == Audience::User),
];

impl Rule {
    /// The statement with the numbers of kinds in the place of their names.
    pub(super) fn statement(&self) -> String {
        let lists = LISTS.iter().map(|(name, fits)| ((*name).to_owned(), Kind::sql_list(fits)));
        let kinds = Kind::iter().map(|kind| (format!("{{{kind:?}}}"), kind.to_value().to_string()));
        lists.chain(kinds).fold(self.sql.to_owned(), |sql, (name, numbers)| sql.replace(&name, &numbers))
    }
}

pub(super) const fn rule(name: &'static str, breach: Breach, sql: &'static str) -> Rule {
    Rule { name, breach, only_on: None, sql }
}

pub(super) const fn only_on(backend: DbBackend, name: &'static str, breach: Breach, sql: &'static str) -> Rule {
    Rule { name, breach, only_on: Some(backend), sql }
}
