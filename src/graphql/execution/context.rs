//! What resolvers take from their context.

use async_graphql::Context;

use super::loaders::Loader;
use crate::chat::{Chat, Error, Viewer};
use crate::graphql::error::ApiError;
use crate::position::CursorCodec;

/// The chat, the viewer, and the loaders of the execution.
pub trait ContextExt {
    /// The rules.
    fn chat(&self) -> &Chat;

    /// The viewer.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody is signed in, and in an execution that several viewers share.
    fn viewer(&self) -> Result<&Viewer, ApiError>;

    /// What reads and enciphers cursors.
    fn cursors(&self) -> &CursorCodec;

    /// The loaders of this execution, or of this one event of a subscription. There are none while a subscription's
    /// resolver opens its stream.
    fn loader(&self) -> &Loader;
}

impl ContextExt for Context<'_> {
    fn chat(&self) -> &Chat {
        self.data_opt().expect("`schema` puts the chat in")
    }

    fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.data_opt().ok_or(Error::Unauthenticated.into())
    }

    fn cursors(&self) -> &CursorCodec {
        self.data_opt().expect("`schema` puts the codec in")
    }

    fn loader(&self) -> &Loader {
        self.data_opt().expect("each execution has its loaders")
    }
}
