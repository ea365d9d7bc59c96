//! A part of a root object, compiled by itself.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::ContainerType;
use async_graphql::{Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, Value};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// One of the objects that a root is merged from.
///
/// A merged object's future holds those of all its parts, each within the one before, and an optimizing compiler makes one
/// function of all their resolvers: one whose registers take it longer than anybody waits, and deeper than it may go. Here
/// a part's future is on the heap, and a function of its own.
#[derive(Default)]
pub(crate) struct Part<T>(T);

impl<T: ContainerType> ContainerType for Part<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let resolved: BoxFuture<'_, ServerResult<Option<Value>>> = self.0.resolve_field(ctx).boxed();
        resolved.await
    }
}

impl<T: OutputType> OutputType for Part<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        self.0.resolve(ctx, field).await
    }
}

impl<T: ObjectType> ObjectType for Part<T> {}
