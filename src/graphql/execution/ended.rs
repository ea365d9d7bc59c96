//! A session that has ended does nothing more, not even the next field of the mutation that ended it.

use async_graphql::extensions::{ExtensionContext, ResolveInfo};
use async_graphql::{PathSegment, ServerError};

use crate::chat::{Chat, Viewer};
use crate::graphql::error::ApiError;

/// What needs no session, and may therefore follow the end of one.
const FOR_EVERYBODY: [&str; 3] = ["signUp", "signIn", "refreshSession"];

/// Why this field of a mutation must not be resolved, if the viewer's session has ended since the request, or its
/// socket, was authenticated. Costs no statement unless a session of the user has ended a moment ago.
pub(super) async fn refusal(ctx: &ExtensionContext<'_>, info: &ResolveInfo<'_>) -> Option<ServerError> {
    if info.path_node.parent.is_some() || info.parent_type != "Mutation" || FOR_EVERYBODY.contains(&info.name) {
        return None;
    }
    let (chat, viewer) = (ctx.data_opt::<Chat>()?, ctx.data_opt::<Viewer>()?);
    let error = chat.expect_signed_in(viewer).await.err()?;
    let at = info.field.alias.as_ref().map_or(info.field.name.pos, |alias| alias.pos);
    let path = vec![PathSegment::Field(info.alias.unwrap_or(info.name).to_owned())];
    Some(ServerError { path, locations: vec![at], ..ApiError::from(error).into() })
}
