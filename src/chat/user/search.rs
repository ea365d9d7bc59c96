//! Finding people by their names, the best matches first.

use std::fmt;
use std::str::FromStr;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select};

use crate::chat::search::{Search, in_order};
use crate::chat::{Argument, Chat, Error, Slice, Viewer, Window};
use crate::ids::UserId;
use crate::store::entity::{user, user_word};

/// Why somebody is found, the best reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserMatch {
    /// The search is the username.
    Username,
    /// The username begins with the search.
    UsernamePrefix,
    /// The display name begins with the search.
    NamePrefix,
    /// Each word of the search begins a word of the display name.
    WordPrefix,
}

/// Somebody in a list of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// Who.
    pub user: user::Model,
    /// Why, in a search.
    pub matched: Option<UserMatch>,
    /// The name, or the word, by which the list is ordered there.
    by: String,
}

impl FoundUser {
    fn listed(user: user::Model) -> Self {
        Self { by: user.username.clone(), matched: None, user }
    }

    /// The place in the list.
    #[must_use]
    pub fn place(&self) -> UserPlace {
        match self.matched {
            None => UserPlace::Listed(self.by.clone()),
            Some(matched) => UserPlace::Found {
                names: Names::of(matched),
                by: self.by.clone(),
                user: self.user.id,
                username: self.user.username.clone(),
            },
        }
    }
}

/// A place in a list of people. Its text is what cursors hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserPlace {
    /// In the list of all: by username.
    Listed(String),
    /// In a search: which names, by which of them the user is found, and who it is.
    #[expect(missing_docs, reason = "they are named above")]
    Found { names: Names, by: String, user: UserId, username: String },
}

impl fmt::Display for UserPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(username) => f.write_str(username),
            // No username has a slash in it.
            Self::Found { names, by, user, username } => write!(f, "/{}/{user}/{username}/{by}", *names as u8),
        }
    }
}

impl FromStr for UserPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // PostgreSQL takes no text with a NUL in it, and no name holds a control character.
        if text.contains(char::is_control) {
            return Err(());
        }
        let Some(found) = text.strip_prefix('/') else { return Ok(Self::Listed(text.to_owned())) };
        let mut parts = found.splitn(4, '/');
        let mut part = || parts.next().ok_or(());
        let number: u8 = part()?.parse().map_err(drop)?;
        let names = Names::ALL.into_iter().find(|names| *names as u8 == number).ok_or(())?;
        let user = part()?.parse().map_err(drop)?;
        Ok(Self::Found { names, user, username: part()?.to_owned(), by: part()?.to_owned() })
    }
}

/// The names among which is searched, one kind after the other. Within a kind the order is that of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Names {
    /// Usernames. The one that is the search itself is the first.
    Usernames = 1,
    /// Whole display names; equal ones by username.
    Display = 2,
    /// Words of display names; of each user the first that begins with the search. Equal ones by id.
    Words = 3,
}

impl Names {
    const ALL: [Self; 3] = [Self::Usernames, Self::Display, Self::Words];

    fn of(matched: UserMatch) -> Self {
        match matched {
            UserMatch::Username | UserMatch::UsernamePrefix => Self::Usernames,
            UserMatch::NamePrefix => Self::Display,
            UserMatch::WordPrefix => Self::Words,
        }
    }
}

impl Chat {
    /// People whom the viewer may find, by username, in byte order; with `search`, those whose names match it, in the order of [`UserMatch`]: within
    /// one by username, display name, or the word that matches. `window` is from the start.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `search` when it is longer than 64 characters or holds control characters, and of
    /// `after` when it is a place in a list of the other kind.
    pub async fn find_people(
        &self,
        viewer: &Viewer,
        search: Option<&str>,
        window: &Window<UserPlace>,
    ) -> Result<Slice<FoundUser>, Error> {
        let search = Search::parse(search.unwrap_or_default())?;
        let (limit, people) = (u64::from(window.limit) + 1, self.findable_by(viewer));
        let found = match (search, &window.after) {
            (None, None) => self.listed(people, None, limit).await?,
            (None, Some(UserPlace::Listed(after))) => self.listed(people, Some(after), limit).await?,
            (Some(search), None) => self.searched(&people, &search, None, limit).await?,
            (Some(search), Some(UserPlace::Found { names, by, user, username })) => {
                let last = Last { by, user: *user, username };
                self.searched(&people, &search, Some((*names, last)), limit).await?
            }
            _ => return Err(Error::invalid(Argument::After, "is a cursor of another list: with or without `search`")),
        };
        Ok(Slice::probed(found, window))
    }

    async fn listed(
        &self,
        people: Select<user::Entity>,
        after: Option<&String>,
        limit: u64,
    ) -> Result<Vec<FoundUser>, DbErr> {
        let mut people = people.order_by_asc(user::Column::Username).limit(limit);
        if let Some(after) = after {
            people = people.filter(user::Column::Username.gt(after));
        }
        Ok(people.all(self.store.read()).await?.into_iter().map(FoundUser::listed).collect())
    }

    /// At most one statement for each kind of names.
    async fn searched(
        &self,
        people: &Select<user::Entity>,
        search: &Search,
        after: Option<(Names, Last<'_>)>,
        limit: u64,
    ) -> Result<Vec<FoundUser>, DbErr> {
        let mut found = Vec::new();
        let begin = after.map_or(Names::Usernames, |(names, _)| names);
        for names in Names::ALL.into_iter().filter(|names| *names >= begin) {
            let left = limit.saturating_sub(found.len() as u64);
            if left == 0 {
                break;
            }
            let after = after.filter(|(at, _)| *at == names).map(|(_, last)| last);
            match names {
                Names::Usernames => found.extend(self.with_username(people.clone(), search, after, left).await?),
                Names::Display => found.extend(self.with_display_name(people.clone(), search, after, left).await?),
                Names::Words => found.extend(self.with_words(people.clone(), search, after, left).await?),
            }
        }
        Ok(found)
    }

    async fn with_username(
        &self,
        people: Select<user::Entity>,
        search: &Search,
        after: Option<Last<'_>>,
        limit: u64,
    ) -> Result<Vec<FoundUser>, DbErr> {
        let people = people.filter(search.whole.begins(user::Column::Username));
        let people = in_order(people, user::Column::Username, user::Column::Id, after.map(|last| (last.by, last.user)))
            .limit(limit);
        let found = people.all(self.store.read()).await?.into_iter().map(|user| {
            let is_it = user.username == search.whole.first;
            let matched = if is_it { UserMatch::Username } else { UserMatch::UsernamePrefix };
            FoundUser { by: user.username.clone(), matched: Some(matched), user }
        });
        Ok(found.collect())
    }

    async fn with_display_name(
        &self,
        people: Select<user::Entity>,
        search: &Search,
        after: Option<Last<'_>>,
        limit: u64,
    ) -> Result<Vec<FoundUser>, DbErr> {
        let people = people
            .filter(search.whole.begins(user::Column::SearchName))
            .filter(search.whole.begins(user::Column::Username).not());
        let people = in_order(
            people,
            user::Column::SearchName,
            user::Column::Username,
            after.map(|last| (last.by, last.username)),
        )
        .limit(limit);
        let found = people.all(self.store.read()).await?.into_iter().map(|user| {
            let matched = Some(UserMatch::NamePrefix);
            FoundUser { by: user.search_name.clone(), matched, user }
        });
        Ok(found.collect())
    }

    async fn with_words(
        &self,
        people: Select<user::Entity>,
        search: &Search,
        after: Option<Last<'_>>,
        limit: u64,
    ) -> Result<Vec<FoundUser>, DbErr> {
        let Some((longest, others)) = search.words.split_first() else { return Ok(Vec::new()) };
        let mut people = people
            .join(JoinType::InnerJoin, user_word::Relation::User.def().rev())
            .filter(longest.begins(user_word::Column::Word))
            .filter(
                user_word::Entity::of_same_user(|word| {
                    word.clone()
                        .gte(&*longest.first)
                        .and(word.lt(Expr::col((user_word::Entity, user_word::Column::Word))))
                })
                .not(),
            )
            .filter(search.whole.begins(user::Column::SearchName).not())
            .filter(search.whole.begins(user::Column::Username).not());
        for other in others {
            people = people.filter(user_word::Entity::of_same_user(|word| {
                word.clone().gte(&*other.first).and(word.lt(&*other.end))
            }));
        }
        let people = in_order(
            people,
            user_word::Column::Word,
            user_word::Column::UserId,
            after.map(|last| (last.by, last.user)),
        )
        .limit(limit);
        let found = people.select_also(user_word::Entity).all(self.store.read()).await?;
        let found = found.into_iter().filter_map(|(user, word)| {
            let matched = Some(UserMatch::WordPrefix);
            Some(FoundUser { by: word?.word, matched, user })
        });
        Ok(found.collect())
    }
}

/// Who was shown last.
#[derive(Clone, Copy)]
struct Last<'p> {
    /// By which name or word.
    by: &'p str,
    user: UserId,
    username: &'p str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let user = UserId::generate();
        let found = |names, by: &str| UserPlace::Found { names, by: by.to_owned(), user, username: "a.b".to_owned() };
        for place in [
            UserPlace::Listed("ann".to_owned()),
            found(Names::Usernames, "ann"),
            found(Names::Display, "a/b lee"),
            found(Names::Words, "lee"),
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in
            ["/", "/1", "/4/x/y", "/1/nobody/ann", &format!("/0/{user}/ann/ann"), "a\0", &format!("/2/{user}/ann/a\0")]
        {
            assert_eq!(text.parse::<UserPlace>(), Err(()), "{text:?}");
        }
    }
}
