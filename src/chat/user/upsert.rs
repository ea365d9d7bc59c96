//! Users as the app's own backend knows them: made, changed and switched off by server keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use sha2::{Digest, Sha256};

use super::account::{NAME_TAKEN, Username, display_name};
use super::held_names::HeldNames;
use super::reference::{MAX_EXTERNAL_ID_CHARS, UserRef, is_external_id};
use super::returning::return_of;
use crate::chat::change::{Alone, Change};
use crate::chat::custom::{Custom, Patch};
use crate::chat::invite::close;
use crate::chat::room::heirs;
use crate::chat::session::end_all;
use crate::chat::{Argument, Chat, Error, ServerKey};
use crate::ids::UserId;
use crate::log::Append;
use crate::store::entity::user::{self, UserType};
use crate::store::entity::user_word;
use crate::store::list::one_of;
use crate::text::fold::{fold, words};

/// The most users of one call.
pub const MAX_UPSERTED: usize = 100;

/// The most bytes of the address of a picture.
const MAX_URL_BYTES: usize = 2_048;

/// One user as the app's backend describes it. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserInput {
    /// Which user, who must be there.
    pub id: Option<UserRef>,
    /// The app's own id: without `id` it says which user, who is made if there is none; with it, what the user is known
    /// by from now on.
    pub external_id: Option<String>,
    /// The name to sign in with, of a new user.
    pub username: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// Where a picture of the user is; `Some(None)` removes it.
    pub avatar_url: Option<Option<String>>,
    /// What kind of user it is, of a new user.
    pub r#type: Option<UserType>,
    /// Whether a program acts as the user.
    pub bot: Option<bool>,
    /// What is to change of what the app keeps about the user.
    pub custom: Option<Patch>,
    /// Whether the account is switched on.
    pub active: Option<bool>,
}

/// What became of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsertOutcome {
    /// It is new.
    Created,
    /// Something of it is new.
    Updated,
    /// It is as it was, and nothing was written.
    Unchanged,
}

/// Make or change users, all of them or none.
pub struct Upsert {
    users: Vec<UserInput>,
    held_names: Option<Arc<HeldNames>>,
}

/// One user as it will be.
#[derive(Clone, Debug)]
struct Planned {
    user: user::Model,
    outcome: UpsertOutcome,
    /// Whether its sessions and tokens end.
    ends_sessions: bool,
}

impl Chat {
    /// Makes or changes users, all of them or none, and says of each what became of it, in the same order.
    ///
    /// # Errors
    /// [`Error::OfUser`] with what is wrong with one of them: [`Error::Invalid`], [`Error::NotFound`] for an unknown
    /// `id`, [`Error::Conflict`] for a username or an app's own id that another user has. [`Error::Invalid`] of `users`
    /// when there are more than [`MAX_UPSERTED`].
    pub async fn upsert_users(
        &self,
        _: &ServerKey,
        users: Vec<UserInput>,
    ) -> Result<Vec<(user::Model, UpsertOutcome)>, Error> {
        if users.len() > MAX_UPSERTED {
            return Err(Error::invalid(Argument::Users, format!("at most {MAX_UPSERTED} users")));
        }
        let upsert = Upsert { users, held_names: self.held_names.clone() };
        // An app repeats all its users each night: those who are as they were must not wait for the log's lock.
        let planned = upsert.plan(self.store.read(), self.store.backend(), self.clock.now()).await?;
        if planned.iter().all(|planned| planned.outcome == UpsertOutcome::Unchanged) {
            return Ok(planned.into_iter().map(|planned| (planned.user, planned.outcome)).collect());
        }
        let ending: Vec<UserId> = planned.iter().filter(|it| it.ends_sessions).map(|it| it.user.id).collect();
        let done = self.change(upsert).await;
        for user in ending {
            self.token_cache.forget(user);
        }
        for (user, outcome) in done.iter().flatten() {
            if *outcome == UpsertOutcome::Updated {
                self.presence.user_changed(user.id);
            }
        }
        done
    }
}

impl Change for Upsert {
    type Outcome = Vec<(user::Model, UpsertOutcome)>;
}

impl Alone for Upsert {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let planned = self.plan(append.tx(), append.store().backend(), append.now()).await?;
        self.expect_usernames_free(&planned, append).await?;
        let made = planned.iter().filter(|planned| planned.outcome == UpsertOutcome::Created);
        let made: Vec<user::ActiveModel> = made.map(|planned| planned.user.clone().into_active_model()).collect();
        if !made.is_empty() {
            user::Entity::insert_many(made).exec_without_returning(append.tx()).await?;
            let named = planned.iter().filter(|planned| planned.outcome == UpsertOutcome::Created);
            let named = named.filter_map(|it| Some((it.user.id, it.user.external_id.as_deref()?)));
            return_of(append, &named.collect::<Vec<_>>()).await?;
        }
        for planned in planned.iter().filter(|planned| planned.outcome == UpsertOutcome::Updated) {
            planned.user.clone().into_active_model().reset_all().update(append.tx()).await?;
        }
        let written = planned.iter().filter(|planned| planned.outcome != UpsertOutcome::Unchanged);
        let names: Vec<_> = written.map(|it| (it.user.id, words(&it.user.search_name))).collect();
        user_word::Entity::replace(append.tx(), &names).await?;
        let ending: Vec<UserId> = planned.iter().filter(|it| it.ends_sessions).map(|it| it.user.id).collect();
        end_all(&ending, append).await?;
        let off = planned.iter().filter(|it| it.ends_sessions && it.user.deactivated_at.is_some());
        let off: Vec<UserId> = off.map(|it| it.user.id).collect();
        heirs::appoint(append, &heirs::owned_by(append, &off).await?).await?;
        close::of_users(append, &off).await?;
        Ok(planned.into_iter().map(|planned| (planned.user, planned.outcome)).collect())
    }
}

impl Upsert {
    /// What each user will be. Writes nothing.
    async fn plan<C: ConnectionTrait>(
        &self,
        db: &C,
        backend: sea_orm::DbBackend,
        now: DateTime<Utc>,
    ) -> Result<Vec<Planned>, Error> {
        let known = Known::read(&self.users, db, backend).await?;
        let mut planned = Vec::with_capacity(self.users.len());
        let mut seen = HashSet::new();
        for (place, input) in self.users.iter().enumerate() {
            let at = |error| Error::OfUser { place, error: Box::new(error) };
            let one = input.plan(&known, now).map_err(at)?;
            let is_first =
                seen.insert(one.user.id)
                    && one.user.external_id.as_ref().is_none_or(|id| {
                        planned.iter().all(|other: &Planned| other.user.external_id.as_ref() != Some(id))
                    });
            if !is_first {
                return Err(at(Error::invalid(input.naming(), "this user is named twice")));
            }
            planned.push(one);
        }
        Ok(planned)
    }

    async fn expect_usernames_free(&self, planned: &[Planned], append: &Append) -> Result<(), Error> {
        let given: HashMap<&str, usize> = planned
            .iter()
            .enumerate()
            .filter(|(place, planned)| {
                planned.outcome == UpsertOutcome::Created && self.users[*place].username.is_some()
            })
            .map(|(place, planned)| (planned.user.username.as_str(), place))
            .collect();
        if given.is_empty() {
            return Ok(());
        }
        let names = given.keys().map(|name| (*name).to_owned());
        let taken = one_of(append.store().backend(), user::Column::Username, names);
        let taken = user::Entity::find().filter(taken).one(append.tx()).await?;
        let refused = |place| Err(Error::OfUser { place, error: Box::new(NAME_TAKEN) });
        if let Some(place) = taken.and_then(|user| given.get(user.username.as_str()).copied()) {
            return refused(place);
        }
        if let Some(held) = &self.held_names {
            for (name, place) in given {
                if held.holds(name, append.tx(), append.now()).await? {
                    return refused(place);
                }
            }
        }
        Ok(())
    }
}

/// The users of one call who are there.
struct Known {
    by_id: HashMap<UserId, user::Model>,
    by_external_id: HashMap<String, UserId>,
}

impl Known {
    async fn read<C: ConnectionTrait>(users: &[UserInput], db: &C, backend: sea_orm::DbBackend) -> Result<Self, DbErr> {
        let (mut ids, mut externals) = (Vec::new(), Vec::new());
        for user in users {
            match &user.id {
                Some(UserRef::Id(id)) => ids.push(*id),
                Some(UserRef::External(id)) => externals.push(id.clone()),
                None => {}
            }
            // What can't be an id is refused where its place is known; PostgreSQL takes no text with a NUL.
            externals.extend(user.external_id.clone().filter(|id| is_external_id(id)));
        }
        let mut named = Condition::any();
        if !ids.is_empty() {
            named = named.add(one_of(backend, user::Column::Id, ids));
        }
        if !externals.is_empty() {
            named = named.add(one_of(backend, user::Column::ExternalId, externals));
        }
        if named.is_empty() {
            return Ok(Self { by_id: HashMap::new(), by_external_id: HashMap::new() });
        }
        let found = user::Entity::present().filter(named).all(db).await?;
        let by_external_id = found.iter().filter_map(|user| Some((user.external_id.clone()?, user.id))).collect();
        Ok(Self { by_id: found.into_iter().map(|user| (user.id, user)).collect(), by_external_id })
    }

    fn get(&self, user: &UserRef) -> Option<&user::Model> {
        match user {
            UserRef::Id(id) => self.by_id.get(id),
            UserRef::External(id) => self.external(id),
        }
    }

    fn external(&self, id: &str) -> Option<&user::Model> {
        self.by_external_id.get(id).and_then(|id| self.by_id.get(id))
    }
}

impl UserInput {
    /// The argument that says which user is meant.
    fn naming(&self) -> Argument {
        if self.id.is_some() { Argument::Id } else { Argument::ExternalId }
    }

    fn plan(&self, known: &Known, now: DateTime<Utc>) -> Result<Planned, Error> {
        if self.external_id.as_deref().is_some_and(|id| !is_external_id(id)) {
            let problem = format!(
                "must have 1 to {MAX_EXTERNAL_ID_CHARS} characters, without control characters and without space around"
            );
            return Err(Error::invalid(Argument::ExternalId, problem));
        }
        let present = match (&self.id, &self.external_id) {
            (Some(id), _) => Some(known.get(id).ok_or(Error::NotFound { what: "user", argument: Argument::Id })?),
            (None, Some(external)) => known.external(external),
            (None, None) => return Err(Error::invalid(Argument::ExternalId, "name the user by `id` or `externalId`")),
        };
        match present {
            Some(present) => self.change(present, known, now),
            None => self.make(now),
        }
    }

    fn make(&self, now: DateTime<Utc>) -> Result<Planned, Error> {
        let external_id = self.external_id.clone().unwrap_or_default();
        let id = UserId::generate();
        let username = match &self.username {
            Some(username) => Username::parse(username)?.into_text(),
            None => derived_username(id),
        };
        // The beginning of an id that is too long for a name says as much as all of it.
        let beginning = || external_id.chars().take(super::NewAccount::MAX_DISPLAY_NAME_CHARS).collect::<String>();
        let shown = self.display_name.as_deref().map(display_name).transpose()?;
        let shown = shown.unwrap_or_else(|| display_name(&beginning()).unwrap_or_else(|_| username.clone()));
        let user = user::Model {
            id,
            username,
            search_name: fold(&shown),
            display_name: shown,
            r#type: self.r#type.unwrap_or(UserType::Consumer),
            password_hash: None,
            tokens_valid_after: DateTime::<Utc>::UNIX_EPOCH,
            created_at: now,
            last_seen_at: None,
            external_id: Some(external_id),
            external_hash: None,
            avatar_url: self.avatar_url.clone().flatten().map(avatar_url).transpose()?,
            custom: self
                .custom
                .as_ref()
                .map(|patch| Custom::default().patched(patch))
                .transpose()?
                .and_then(Custom::into_text),
            bot: self.bot.unwrap_or_default(),
            deactivated_at: (self.active == Some(false)).then_some(now),
            deleted_at: None,
            name_digest: None,
            erases_messages: false,
        };
        Ok(Planned { user, outcome: UpsertOutcome::Created, ends_sessions: false })
    }

    fn change(&self, present: &user::Model, known: &Known, now: DateTime<Utc>) -> Result<Planned, Error> {
        let mut user = present.clone();
        let mut ends_sessions = false;
        if let Some(external_id) = &self.external_id
            && present.external_id.as_ref() != Some(external_id)
        {
            if known.external(external_id).is_some() {
                let problem = "another user has this id";
                return Err(Error::Conflict { argument: Argument::ExternalId, problem });
            }
            user.external_id = Some(external_id.clone());
            // Whoever was signed in need not be the person whom the app means.
            ends_sessions = true;
        }
        if let Some(username) = &self.username
            && Username::parse(username)?.into_text() != present.username
        {
            return Err(Error::invalid(Argument::Username, "a username can't be changed"));
        }
        if self.r#type.is_some_and(|r#type| r#type != present.r#type) {
            return Err(Error::invalid(Argument::Type, "the type of a user can't be changed: rooms depend on it"));
        }
        if let Some(name) = &self.display_name {
            user.display_name = display_name(name)?;
            user.search_name = fold(&user.display_name);
        }
        if let Some(url) = &self.avatar_url {
            user.avatar_url = url.clone().map(avatar_url).transpose()?;
        }
        if let Some(patch) = &self.custom {
            user.custom = Custom::from_text(present.custom.as_deref()).patched(patch)?.into_text();
        }
        user.bot = self.bot.unwrap_or(present.bot);
        match (self.active, present.deactivated_at) {
            (Some(false), None) => (user.deactivated_at, ends_sessions) = (Some(now), true),
            (Some(true), Some(_)) => user.deactivated_at = None,
            _ => {}
        }
        let outcome = if user == *present { UpsertOutcome::Unchanged } else { UpsertOutcome::Updated };
        Ok(Planned { user, outcome, ends_sessions })
    }
}

/// A username for whom nobody has chosen one, which no other user has.
pub(in crate::chat) fn derived_username(id: UserId) -> String {
    let id = id.to_string();
    format!("u-{}", id.split_once('_').map_or(id.as_str(), |(_, suffix)| suffix))
}

/// What is kept of the app's own id of a user who was deleted.
pub(in crate::chat) fn external_hash(external_id: &str) -> Vec<u8> {
    Sha256::digest(external_id.as_bytes()).to_vec()
}

/// The address of a picture: of HTTP, so that no client is made to run it.
pub(in crate::chat) fn avatar_url(url: String) -> Result<String, Error> {
    let is_http = url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if !is_http || url.len() > MAX_URL_BYTES || url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        let problem =
            format!("must be a URL that begins with `https://` or `http://`, of at most {MAX_URL_BYTES} bytes");
        return Err(Error::invalid(Argument::AvatarUrl, problem));
    }
    Ok(url)
}
