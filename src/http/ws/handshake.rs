//! From the upgrade to the acknowledged viewer.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::WebSocket;
use super::close::Close;
use super::dialect::Dialect;
use super::limits::INIT_TIMEOUT;
use super::protocol::{self, ClientMessage, InitPayload};
use super::session::{OpenSocket, send};
use crate::chat::{Error, Reason, key};
use crate::http::AppState;
use crate::http::caller::{Address, Caller, bearer};
use crate::http::live::Live;
use crate::limits::{Limits, Origin, PerNetwork, PerUser};
use crate::position::{CursorText, InvalidCursor};

/// A socket that isn't authenticated yet.
pub(super) struct Handshake<'e> {
    state: &'e AppState,
    dialect: Dialect,
    address: Address,
    /// The `Authorization` header of the upgrade, for clients that can set headers.
    authorization: Option<String>,
    /// Whether its address may open one more socket, and was charged for it.
    is_charged: bool,
}

impl<'e> Handshake<'e> {
    /// A socket from this address, whose upgrade carried this `Authorization`. The address is charged now, in case the
    /// client never says who it is.
    pub(super) fn new(state: &'e AppState, dialect: Dialect, address: Address, authorization: Option<String>) -> Self {
        let is_charged = state.limits.charge_network(address.origin, PerNetwork::Sockets).is_ok();
        Self { state, dialect, address, authorization, is_charged }
    }

    /// Waits for `connection_init`, authenticates and acknowledges.
    pub(super) async fn run(self, socket: &mut WebSocket) -> Result<OpenSocket, Close> {
        let opened = match self.authenticate(socket).await {
            Ok(opened) => opened,
            Err(close) => {
                if let Some(refusal) = self.dialect.refusal(&close) {
                    send(socket, refusal).await?;
                }
                return Err(close);
            }
        };
        let ack = protocol::ack(opened.live.viewer.session, self.state.chat.clock().now(), self.state.keepalive_secs);
        send(socket, ack).await?;
        if let Some((keep_alive, _)) = self.dialect.keep_alive(Duration::MAX) {
            send(socket, keep_alive).await?;
        }
        Ok(opened)
    }

    async fn authenticate(&self, socket: &mut WebSocket) -> Result<OpenSocket, Close> {
        let init = tokio::select! {
            init = tokio::time::timeout(INIT_TIMEOUT, self.init(socket)) => init.map_err(|_| Close::InitTimeout)??,
            () = self.state.drain.cancelled() => return Err(Close::Restart),
        };
        self.open(init).await
    }

    async fn open(&self, init: InitPayload) -> Result<OpenSocket, Close> {
        let authorization = init.authorization.as_ref().or(self.authorization.as_ref());
        let token = authorization.map(|value| bearer(value).unwrap_or(value)).unwrap_or_default();
        if key::is_key(token) {
            return Err(Close::BadRequest(Reason::ServerKeyCantSubscribe.to_string()));
        }
        let viewer = match self.state.chat.authenticate(token).await {
            Ok(viewer) => viewer,
            Err(Error::Unauthenticated) => return Err(Close::Forbidden("Forbidden")),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a socket could not be authenticated");
                return Err(Close::TryAgainLater("Try again later"));
            }
        };
        let after = match init.after.as_deref() {
            None | Some("") => None,
            Some(after) => {
                let text: CursorText =
                    after.parse().map_err(|invalid: InvalidCursor| Close::BadRequest(invalid.to_string()))?;
                Some(self.state.cursors.open(text))
            }
        };
        let charged = self.charge(viewer.user.0, after.is_some())?;
        let live = Live::open(self.state, viewer).ok_or(Close::TryAgainLater("Too many sockets"))?;
        let caller = Caller { address: self.address, viewer: Some(viewer), key: None };
        Ok(OpenSocket { caller, live, after, charged })
    }

    /// Charges the opening of the socket to its address, as [`Self::new`] has already done if it could; or to its user, if
    /// it resumes or its address may open no more, because only its subscriptions may say that it resumes. After a
    /// restart, everybody behind one address comes back together.
    fn charge(&self, user: Uuid, resumes: bool) -> Result<OpeningCharge, Close> {
        let limits = &self.state.limits;
        let mut charge = OpeningCharge(self.is_charged.then_some(self.address.origin));
        if !self.is_charged {
            limits.charge_user(user, PerUser::Resumes).map_err(|_| Close::TryAgainLater("Too many sockets"))?;
        } else if resumes {
            charge.resumes(limits, user);
        }
        Ok(charge)
    }

    async fn init(&self, socket: &mut WebSocket) -> Result<InitPayload, Close> {
        loop {
            let text = match socket.next().await {
                None => return Err(Close::Gone),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(Message::Close(_))) => return Err(Close::ByClient),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Binary(_))) => return Err(Close::BadRequest("messages are text".to_owned())),
                Some(Ok(Message::Text(text))) => text,
            };
            match self.dialect.parse(&text)? {
                ClientMessage::ConnectionInit(init) => return Ok(init),
                ClientMessage::Subscribe { .. } => return Err(Close::Unauthorized),
                ClientMessage::Ping => send(socket, protocol::pong()).await?,
                ClientMessage::Complete { .. } | ClientMessage::Pong => {}
                ClientMessage::Terminate => return Err(Close::Terminated),
            }
        }
    }
}

/// To whom the opening of a socket is charged: to this address, as long as its user may be charged in its place.
pub(super) struct OpeningCharge(Option<Origin>);

impl OpeningCharge {
    /// Charges the user in place of the address, once it is known that the socket resumes. It is tried once.
    pub(super) fn resumes(&mut self, limits: &Limits, user: Uuid) {
        if let Some(address) = self.0.take()
            && limits.charge_user(user, PerUser::Resumes).is_ok()
        {
            limits.give_back_network(address, PerNetwork::Sockets);
        }
    }
}
