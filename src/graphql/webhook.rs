//! Webhooks: what the app's own backend is told.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::webhook::{self, Again, Failure, Told};
use crate::chat::{Argument, Error, Window};
use crate::delivery::notice::name::{dotted, type_name};
use crate::ids::WebhookId;
use crate::position::CursorText;
use crate::store::entity::webhook as row;

/// Whether a webhook is told anything.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "row::WebhookState")]
pub enum WebhookState {
    /// It is.
    Active,
    /// Its receiver is down: it is tried again from time to time, and told everything from `cursor` on as soon as it
    /// answers.
    Paused,
    /// It is told nothing until it is enabled: a server key has disabled it, the key that answers for it was revoked, its
    /// receiver has answered 410, or was down for three days.
    Disabled,
}

/// Where the app's own backend is told of what happens. Each event is a POST to `url`, signed as
/// [Standard Webhooks](https://www.standardwebhooks.com) has it, at least once.
#[derive(Description)]
pub(crate) struct Webhook(Told);

#[Object(use_type_description)]
impl Webhook {
    /// The webhook's id, which never changes. `node` doesn't take it.
    async fn id(&self) -> ID {
        self.0.webhook.id.into()
    }

    /// Where it is told.
    async fn url(&self) -> &str {
        &self.0.webhook.url
    }

    /// What it is told: a subscription to `events`.
    async fn query(&self) -> &str {
        &self.0.webhook.query
    }

    /// Whether it is told one event after the other, in their order. Then an event that its receiver refuses holds up
    /// the others.
    async fn ordered(&self) -> bool {
        self.0.webhook.ordered
    }

    /// Whether it is told anything.
    async fn state(&self) -> WebhookState {
        self.0.webhook.state.into()
    }

    /// Everything up to here was answered with 2xx, or stands among the failures.
    async fn cursor(&self) -> ShownCursor {
        ShownCursor::Event(self.0.at)
    }

    /// For how many seconds the oldest event has waited that comes after `cursor`; 0 when there is none.
    async fn behind_secs(&self, ctx: &Context<'_>) -> i32 {
        let waiting = self.0.waiting_since.map(|since| ctx.chat().clock().now() - since);
        waiting.map_or(0, |waiting| i32::try_from(waiting.num_seconds().max(0)).unwrap_or(i32::MAX))
    }

    /// How many events its receiver has refused, while it took others: see `webhookFailures`.
    async fn failure_count(&self) -> i32 {
        i32::try_from(self.0.failures).unwrap_or(i32::MAX)
    }

    /// Since when its receiver is down; of one that was disabled for that, since when it was. Null otherwise.
    async fn failing_since(&self) -> Option<DateTime> {
        self.0.webhook.failing_since.map(Into::into)
    }

    /// When a receiver that is down is tried next.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        self.0.webhook.next_at.map(Into::into)
    }

    /// The status that the receiver answered when it was found down. Null when there was no answer.
    async fn last_status(&self) -> Option<i32> {
        self.0.webhook.last_status.map(Into::into)
    }

    /// Why the receiver was found down, for people.
    async fn last_error(&self) -> Option<&str> {
        self.0.webhook.last_error.as_deref()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.webhook.created_at.into()
    }
}

/// An event that a webhook's receiver has refused. It is sent again for three days, and then only by `replayWebhook`.
#[derive(SimpleObject)]
pub(crate) struct WebhookFailure {
    /// The event's cursor.
    #[graphql(owned)]
    cursor: ShownCursor,
    /// What the event is, as in what is sent: `message.posted`. Null when the log doesn't hold it any more; then it isn't
    /// sent again.
    r#type: Option<String>,
    /// How often it was sent.
    attempts: i32,
    /// When it is sent next. Null: not by itself.
    #[graphql(owned)]
    next_attempt_at: Option<DateTime>,
    /// The status of the last answer. Null when there was none.
    last_status: Option<i32>,
    /// Why it failed last, for people.
    last_error: String,
}

impl From<Failure> for WebhookFailure {
    fn from(Failure { failure, kind }: Failure) -> Self {
        Self {
            cursor: ShownCursor::Event(failure.cursor()),
            r#type: kind.map(|kind| dotted(&type_name(kind))),
            attempts: failure.attempts,
            next_attempt_at: failure.next_at.map(Into::into),
            last_status: failure.status.map(Into::into),
            last_error: failure.error,
        }
    }
}

/// A webhook. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct WebhookInput {
    /// Where it is told: an `https://` URL of at most 2,048 bytes, whose address is public. Needed of a new one.
    url: Option<String>,
    /// What it is told: a subscription to `events` without arguments and variables. What it selects is what is sent, and
    /// only events for whose type it has a fragment are. It mustn't name `viewer` or `me`: nobody asks. Needed of a new
    /// one.
    query: Option<String>,
    /// Whether it is told one event after the other, in their order. Then an event that its receiver refuses holds up the
    /// others. False if left out of a new one: several at a time, in any order.
    ordered: Option<bool>,
    /// Whether it is told anything. True begins where it had stopped, and at once if the receiver was down.
    enabled: Option<bool>,
    /// True: it gets another secret. For 24 hours it is signed with both.
    rotate_secret: Option<bool>,
}

impl From<WebhookInput> for webhook::WebhookInput {
    fn from(input: WebhookInput) -> Self {
        let WebhookInput { url, query, ordered, enabled, rotate_secret } = input;
        Self { url, query, ordered, enabled, rotate_secret: rotate_secret.unwrap_or_default() }
    }
}

/// A webhook that was made or changed.
#[derive(SimpleObject)]
pub(crate) struct WebhookPayload {
    /// The webhook.
    webhook: Webhook,
    /// What its receiver verifies signatures with: `whsec_…`. Shown once, when it is new; null otherwise.
    secret: Option<String>,
}

/// A webhook that was deleted.
#[derive(SimpleObject)]
pub(crate) struct DeleteWebhookPayload {
    /// Its id.
    webhook_id: ID,
}

/// Webhooks, and what they could not be told.
#[derive(Default)]
pub(crate) struct WebhookQuery;

#[Object]
impl WebhookQuery {
    /// Server key: all webhooks, the oldest first; there are at most 20.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn webhooks(&self, ctx: &Context<'_>) -> Result<Vec<Webhook>, ApiError> {
        Ok(ctx.chat().webhooks(ctx.server()?).await?.into_iter().map(Webhook).collect())
    }

    /// Server key: the events that a webhook's receiver has refused while it took others, the oldest first.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `NOT_FOUND` when there is no such webhook.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn webhook_failures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook's id: `webhook_…`.")] webhook_id: WebhookId,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<GivenKey<i64>>,
    ) -> Result<Page<i64, WebhookFailure>, ApiError> {
        let (key, list) = (ctx.server()?, List::WebhookFailures(webhook_id));
        let window = Window::forward(first, page::after(ctx, list, after)?)?;
        let failures = ctx.chat().webhook_failures(key, webhook_id, &window).await?;
        Ok(page(ctx, list, failures, |it| it.failure.position.0, Into::into))
    }
}

/// Making and changing webhooks.
#[derive(Default)]
pub(crate) struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Server key: has the app's own backend be told of what happens from now on. The answer's `secret` isn't shown again.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `BAD_USER_INPUT` of a `url` or a `query` that
    /// can't be; `CONFLICT` when there are 20 webhooks.
    async fn create_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: WebhookInput,
    ) -> Result<WebhookPayload, ApiError> {
        let (told, secret) = ctx.chat().create_webhook(ctx.server()?, input.into()).await?;
        Ok(WebhookPayload { webhook: Webhook(told), secret: Some(secret) })
    }

    /// Server key: changes a webhook, which goes on from where it is. The key that gives a `url`, or enables it, answers
    /// for it from then on: when that key is revoked, the webhook is disabled.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `NOT_FOUND` when there is no such webhook;
    /// `BAD_USER_INPUT` of a `url` or a `query` that can't be.
    async fn update_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook's id: `webhook_…`.")] webhook_id: WebhookId,
        #[graphql(desc = "What is to change of it.")] input: WebhookInput,
    ) -> Result<WebhookPayload, ApiError> {
        let (told, secret) = ctx.chat().update_webhook(ctx.server()?, webhook_id, input.into()).await?;
        Ok(WebhookPayload { webhook: Webhook(told), secret })
    }

    /// Server key: sends again everything that happened after a cursor, or one event that was refused. An event has the
    /// same `webhook-id` each time.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `NOT_FOUND` when there is no such webhook, or no
    /// such failure; `BAD_USER_INPUT` for both or neither; `CONFLICT` when what came after the cursor is not kept any
    /// more.
    async fn replay_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook's id: `webhook_…`.")] webhook_id: WebhookId,
        #[graphql(desc = "A cursor: of an event that was sent, of a webhook, or of `log`.")] after: Option<CursorText>,
        #[graphql(desc = "The cursor of one of `webhookFailures`.")] failure: Option<CursorText>,
    ) -> Result<WebhookPayload, ApiError> {
        let key = ctx.server()?;
        let again = match (after, failure) {
            (Some(after), None) => Again::After(ctx.cursors().open(after)),
            (None, Some(failure)) => Again::Failure(ctx.cursors().open(failure)),
            _ => return Err(Error::invalid(Argument::After, "give either `after` or `failure`").into()),
        };
        let told = ctx.chat().replay_webhook(key, webhook_id, again).await?;
        Ok(WebhookPayload { webhook: Webhook(told), secret: None })
    }

    /// Server key: deletes a webhook. It is told nothing any more, but for what is on its way.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `NOT_FOUND` when there is no such webhook.
    async fn delete_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook's id: `webhook_…`.")] webhook_id: WebhookId,
    ) -> Result<DeleteWebhookPayload, ApiError> {
        ctx.chat().delete_webhook(ctx.server()?, webhook_id).await?;
        Ok(DeleteWebhookPayload { webhook_id: webhook_id.into() })
    }
}
