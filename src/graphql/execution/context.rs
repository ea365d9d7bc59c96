//! What resolvers take from their context.

use async_graphql::Context;

use super::loaders::Loader;
use crate::chat::room::RoomRef;
use crate::chat::{Actor, Chat, Error, Reason, ServerKey, Viewer};
use crate::graphql::error::ApiError;
use crate::ids::RoomId;
use crate::limits::{Charge, Meter, PerUser};
use crate::position::CursorCodec;

/// The chat, the viewer and what he or she is charged, and the loaders of the execution.
pub trait ContextExt {
    /// The rules.
    fn chat(&self) -> &Chat;

    /// The viewer.
    ///
    /// # Errors
    /// `FORBIDDEN` and `USER_NEEDED` for a server key that acts for nobody; `UNAUTHENTICATED` when nobody is signed in, and in an execution that several viewers share.
    fn viewer(&self) -> Result<&Viewer, ApiError>;

    /// The server key with which the app's own backend calls.
    ///
    /// # Errors
    /// `FORBIDDEN` and `SERVER_KEY_NEEDED` for everybody else, `UNAUTHENTICATED` when nobody is signed in.
    fn server(&self) -> Result<&ServerKey, ApiError>;

    /// What reads and enciphers cursors.
    fn cursors(&self) -> &CursorCodec;

    /// What charges the caller. `None` where nothing is limited: not in a request that came from outside.
    fn meter(&self) -> Option<&Meter>;

    /// Charges the viewer for one thing, before anything is read or written for it: each field that is limited does so
    /// once, whatever it is called. Returns the viewer.
    ///
    /// # Errors
    /// `RATE_LIMITED` when it is too much, and as [`Self::viewer`].
    fn charge(&self, what: PerUser) -> impl Future<Output = Result<&Viewer, ApiError>> + Send;

    /// As [`Self::charge`], for what a server key may ask for by itself, which is limited by its requests alone.
    ///
    /// # Errors
    /// `RATE_LIMITED` when it is too much, `UNAUTHENTICATED` when nobody is signed in.
    fn charge_actor(&self, what: PerUser) -> impl Future<Output = Result<Actor, ApiError>> + Send;

    /// The id of the room that an argument names.
    ///
    /// # Errors
    /// `FORBIDDEN` and `SERVER_KEY_NEEDED` for an app's own id by anybody but its backend; `NOT_FOUND` when it has no such
    /// room.
    fn room_id(&self, room: RoomRef) -> impl Future<Output = Result<RoomId, Error>> + Send;

    /// The loaders of this execution, or of this one event of a subscription. There are none while a subscription's
    /// resolver opens its stream.
    fn loader(&self) -> &Loader;
}

impl ContextExt for Context<'_> {
    fn chat(&self) -> &Chat {
        self.data_opt().expect("`schema` puts the chat in")
    }

    fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.data_opt().ok_or_else(|| match self.data_opt::<ServerKey>() {
            Some(_) => Error::Refused(Reason::UserNeeded).into(),
            None => Error::Unauthenticated.into(),
        })
    }

    fn server(&self) -> Result<&ServerKey, ApiError> {
        self.data_opt().ok_or_else(|| match self.data_opt::<Viewer>() {
            Some(_) => Error::Refused(Reason::ServerKeyNeeded).into(),
            None => Error::Unauthenticated.into(),
        })
    }

    fn cursors(&self) -> &CursorCodec {
        self.data_opt().expect("`schema` puts the codec in")
    }

    fn meter(&self) -> Option<&Meter> {
        self.data_opt()
    }

    async fn charge(&self, what: PerUser) -> Result<&Viewer, ApiError> {
        let viewer = self.viewer()?;
        if let Some(meter) = self.meter() {
            meter.charge(Charge::User(what)).await?;
        }
        Ok(viewer)
    }

    async fn charge_actor(&self, what: PerUser) -> Result<Actor, ApiError> {
        let key = self.data_opt::<ServerKey>().is_some();
        if key && self.data_opt::<Viewer>().is_none() {
            return Ok(Actor { user: None, key });
        }
        Ok(Actor { user: Some(self.charge(what).await?.user), key })
    }

    async fn room_id(&self, room: RoomRef) -> Result<RoomId, Error> {
        self.chat().room_named(self.data_opt(), room).await
    }

    fn loader(&self) -> &Loader {
        self.data_opt().expect("each execution has its loaders")
    }
}
