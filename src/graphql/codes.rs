//! The codes of errors, for programs that make types of the schema.

use async_graphql::{EnumType, Object};

use super::ErrorCode;

/// Listing the codes of errors.
#[derive(Default)]
pub(crate) struct ErrorQuery;

#[Object]
impl ErrorQuery {
    /// Every code that `extensions.code` of an error may have. Codes come in no data: this field is there for programs
    /// that make types of the schema, which find `ErrorCode` by it. Nobody has to be signed in.
    async fn error_codes(&self) -> Vec<ErrorCode> {
        ErrorCode::items().iter().map(|item| item.value).collect()
    }
}
