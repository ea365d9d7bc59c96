//! What Parlor adds to async-graphql's handling of a request, in the order of the hooks.

mod batches;
pub(crate) mod budget;
pub(crate) mod context;
mod ended;
pub(crate) mod loaders;
mod merge;
mod nulls;
mod order;
mod pace;
pub(crate) mod plan;
mod validations;

use std::sync::{Arc, OnceLock};

use async_graphql::async_trait;
use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextRequest, NextResolve,
    NextSubscribe, NextValidation, ResolveInfo,
};
use async_graphql::parser::types::{ExecutableDocument, Field, OperationType, Selection};
use async_graphql::{Data, Positioned, Response, ServerError, ServerResult, ValidationResult, Value, Variables};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::chat::{Chat, Viewer};
use crate::graphql::error::{ApiError, Coded, ErrorCode, finish};
use crate::graphql::{MAX_COMPLEXITY, MAX_EVENT_COMPLEXITY};
use crate::limits::Meter;
use batches::Batches;
use budget::{Budget, MAX_ANSWER_BYTES, MAX_RENDERING_BYTES};
use nulls::Nulls;
use order::Order;
use pace::Pace;
use validations::Validated;

/// Codes on errors, nulls where they belong, and fresh loaders for each execution.
pub(super) struct Rules;

impl ExtensionFactory for Rules {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Execution::default())
    }
}

/// One request, or one subscription with all its events.
#[derive(Default)]
struct Execution {
    nulls: Nulls,
    budget: Budget,
    pace: Pace,
    order: OnceLock<Order>,
    /// The root fields of a subscription, whose arguments no other hook sees.
    subscribed: Arc<OnceLock<Vec<Field>>>,
}

#[async_trait::async_trait]
impl Extension for Execution {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        finish(next.run(ctx).await)
    }

    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        let subscribed = Arc::clone(&self.subscribed);
        next.run(ctx, stream)
            .map(move |mut response| {
                for field in subscribed.get().into_iter().flatten() {
                    response.errors = response.errors.into_iter().map(|error| error.blamed(field)).collect();
                }
                finish(response)
            })
            .boxed()
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document =
            next.run(ctx, query, variables).await.map_err(|error| error.coded(ErrorCode::GraphqlParseFailed))?;
        self.subscribed.get_or_init(|| root_fields_of_subscriptions(&document));
        if let Some(order) = ctx.data_opt::<Order>() {
            self.order.get_or_init(|| order.clone());
        }
        Ok(document)
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let validated = ctx.data_opt::<Validated>();
        if let Some(known) = validated.and_then(Validated::known) {
            charge(ctx, known).await?;
            return Ok(known);
        }
        let coded = |error: ServerError| error.coded(ErrorCode::GraphqlValidationFailed);
        let result = next.run(ctx).await.map_err(|errors| errors.into_iter().map(coded).collect::<Vec<_>>())?;
        let max = if is_subscription(ctx) { MAX_EVENT_COMPLEXITY } else { MAX_COMPLEXITY };
        if result.complexity > max {
            let asked = result.complexity;
            let problem = format!("asks for up to {asked} fields, and {max} are allowed: take smaller pages of lists");
            return Err(vec![ErrorCode::GraphqlValidationFailed.error(problem)]);
        }
        if let Some(validated) = validated {
            validated.keep(result);
        }
        charge(ctx, result).await?;
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let max_bytes = if is_subscription(ctx) { MAX_RENDERING_BYTES } else { MAX_ANSWER_BYTES };
        self.budget.begin(max_bytes);
        let batches = Batches::default();
        let mut data = Data::default();
        if let Some(chat) = ctx.data_opt::<Chat>() {
            data.insert(loaders::loader(chat.clone(), ctx.data_opt::<Viewer>().copied(), max_bytes, &batches));
        }
        let mut response = batches.drive(&self.pace, next.run_with_data(ctx, operation_name, data)).await;
        if let Some(order) = self.order.get() {
            order.settle_root(&mut response);
        }
        self.nulls.finish(&mut response);
        self.budget.finish(&mut response);
        response
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let (node, field, return_type) = (info.path_node, info.field, info.return_type);
        // A mutation is done to its end, even if nothing of it can be shown any more.
        let is_root = node.parent.is_none();
        if self.budget.is_spent() && !is_root {
            return Ok(Some(Value::Null));
        }
        if is_root && is_mutation(ctx) && self.nulls.has_failed() {
            // Nothing of the answer can be shown, and nothing more is done.
            return Ok(Some(Value::Null));
        }
        if info.parent_type == "__Schema" && info.name == "description" {
            // The schema has none: async-graphql gives its own words about the type `__Schema`.
            return Ok(Some(Value::Null));
        }
        self.pace.turn().await;
        let mut resolved = match ended::refusal(ctx, &info).await {
            Some(refusal) => Err(refusal),
            None => next.run(ctx, info).await.map_err(|error| error.blamed(field)),
        };
        if let (Some(order), Ok(Some(value))) = (self.order.get(), &mut resolved) {
            order.settle(&field.selection_set.node, value);
        }
        let within = match &resolved {
            Ok(Some(value)) => self.budget.put(node, field.selection_set.node.items.is_empty(), value),
            Ok(None) => true,
            Err(error) => self.budget.put_error(node, error),
        };
        Ok(if within { self.nulls.settle(node, return_type, resolved) } else { Some(Value::Null) })
    }
}

/// Whether events are shown, rather than a query or mutation answered: requests carry the type of their operation.
fn is_subscription(ctx: &ExtensionContext<'_>) -> bool {
    matches!(ctx.data_opt(), Some(OperationType::Subscription))
}

/// Whether fields at the root are executed one after the other, and change something.
fn is_mutation(ctx: &ExtensionContext<'_>) -> bool {
    matches!(ctx.data_opt(), Some(OperationType::Mutation))
}

/// Charges the viewer for what a valid request asks for, before any of it is read.
async fn charge(ctx: &ExtensionContext<'_>, asked: ValidationResult) -> Result<(), Vec<ServerError>> {
    let Some(meter) = ctx.data_opt::<Meter>() else { return Ok(()) };
    meter.charge_complexity(asked.complexity).await.map_err(|exceeded| vec![ApiError::from(exceeded).into()])
}

fn root_fields_of_subscriptions(document: &ExecutableDocument) -> Vec<Field> {
    let subscriptions = document.operations.iter().filter(|(_, it)| it.node.ty == OperationType::Subscription);
    subscriptions
        .flat_map(|(_, operation)| &operation.node.selection_set.node.items)
        .filter_map(|selection| match &selection.node {
            Selection::Field(Positioned { node: Field { alias, name, arguments, .. }, .. }) => Some(Field {
                alias: alias.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
                directives: vec![],
                selection_set: Positioned::default(),
            }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, Object, Request, Schema, SimpleObject, Subscription, Variables};
    use futures_util::{Stream, stream};
    use serde_json::json;

    use super::*;
    use crate::chat::Error;
    use crate::ids::RoomId;

    struct Query;

    #[derive(SimpleObject, Default)]
    #[graphql(complex)]
    struct Thing {
        id: i32,
    }

    #[async_graphql::ComplexObject]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    impl Thing {
        async fn broken(&self) -> Result<i32, ApiError> {
            Err(Error::Forbidden("no").into())
        }

        async fn maybe(&self) -> Result<Option<i32>, ApiError> {
            Err(Error::Forbidden("no").into())
        }
    }

    #[Object]
    impl Query {
        async fn thing(&self) -> Thing {
            Thing::default()
        }

        async fn perhaps(&self) -> Option<Thing> {
            Some(Thing::default())
        }

        async fn things(&self) -> Vec<Option<Thing>> {
            vec![Some(Thing::default()), None]
        }

        async fn all(&self) -> Option<Vec<Thing>> {
            Some(vec![Thing::default()])
        }

        async fn count(&self, limit: Option<i32>) -> i32 {
            limit.unwrap_or(7)
        }

        #[graphql(complexity = "1_000_000")]
        async fn costly(&self) -> i32 {
            1
        }
    }

    struct Events;

    #[Subscription]
    impl Events {
        async fn things(&self, room_id: Option<RoomId>) -> impl Stream<Item = Thing> {
            let _ = room_id;
            stream::iter([Thing::default(), Thing::default()])
        }
    }

    fn schema() -> Schema<Query, EmptyMutation, Events> {
        Schema::build(Query, EmptyMutation, Events).extension(Rules).finish()
    }

    async fn execute(document: &str) -> serde_json::Value {
        serde_json::to_value(schema().execute(document).await).expect("JSON")
    }

    async fn subscribe(document: &str) -> Vec<serde_json::Value> {
        let json = |response| serde_json::to_value::<Response>(response).expect("JSON");
        schema().execute_stream(document).map(json).collect().await
    }

    #[tokio::test]
    async fn a_failed_field_is_null_and_tells_why() {
        let answer = execute("{ thing { id maybe } }").await;
        assert_eq!(answer["data"], json!({ "thing": { "id": 0, "maybe": null } }));
        assert_eq!(answer["errors"][0]["path"], json!(["thing", "maybe"]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
    }

    #[tokio::test]
    async fn a_failed_field_that_must_not_be_null_makes_what_holds_it_null() {
        for (document, data) in [
            ("{ perhaps { id broken } count }", json!({ "perhaps": null, "count": 7 })),
            ("{ things { id broken } count }", json!({ "things": [null, null], "count": 7 })),
            ("{ all { id broken } count }", json!({ "all": null, "count": 7 })),
            ("{ thing { id broken } count }", json!(null)),
        ] {
            let answer = execute(document).await;
            assert_eq!(answer["data"], data, "{document}");
            assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{document}");
        }
    }

    #[tokio::test]
    async fn a_failed_event_does_not_spoil_the_next() {
        let answers = subscribe("subscription { things { id broken } }").await;
        assert_eq!(answers.len(), 2);
        for answer in answers {
            assert_eq!(answer["data"], json!(null));
            assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
        }
        assert_eq!(subscribe("subscription { things { id } }").await[1], json!({ "data": { "things": { "id": 0 } } }));
    }

    #[tokio::test]
    async fn an_argument_of_a_subscription_is_named_too() {
        let answers = subscribe("subscription { things(roomId: \"user_1\") { id } }").await;
        assert_eq!(answers[0]["errors"][0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "roomId" }));
    }

    #[tokio::test]
    async fn each_phase_has_its_code() {
        for (document, code) in [
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ count(limit: true) }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ costly }", "GRAPHQL_VALIDATION_FAILED"),
            ("query a { count } query b { count }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { things { id } }", "GRAPHQL_VALIDATION_FAILED"),
            ("query($limit: Int!) { count(limit: $limit) }", "BAD_USER_INPUT"),
        ] {
            let answer = execute(document).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{document}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_variable_that_may_be_null_may_be_left_out() {
        let request = Request::new("query($limit: Int) { count(limit: $limit) }").variables(Variables::default());
        let answer = schema().execute(request).await;
        assert_eq!(answer.errors, []);
    }
}
