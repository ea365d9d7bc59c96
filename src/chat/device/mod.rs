//! Devices on which users are notified. A device goes with the session that has registered it, and with its user's tokens.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use url::Url;

use super::change::{Alone, Change};
use super::{Argument, Chat, Error, Viewer};
use crate::ids::{DeviceId, SessionId, UserId};
use crate::log::Append;
use crate::store::entity::device::{self, DevicePlatform};
use crate::store::list::one_of;

/// The most devices of one user. One more takes the place of the one that was registered the longest ago.
pub const MAX_DEVICES: u64 = 20;

/// The most characters of what a service knows a device by.
pub const MAX_TOKEN: usize = 2_048;

/// The most characters of what a client calls a device.
pub const MAX_LABEL: usize = 100;

/// The push services of the makers of browsers, by their hosts; `*.` stands for any name below. No other host is posted to,
/// whatever a client says, unless the operator has it added.
const SERVICES: [&str; 4] =
    ["fcm.googleapis.com", "*.push.services.mozilla.com", "*.notify.windows.com", "*.push.apple.com"];

/// By which services devices may be reached here.
#[derive(Clone, Debug, Default)]
pub struct PushServices {
    /// Hosts for Web Push besides the makers' own.
    pub hosts: Vec<String>,
    /// Whether there is an account with Firebase Cloud Messaging.
    pub fcm: bool,
    /// This server's public key for Web Push. `None`: no browser is notified.
    pub key: Option<Arc<str>>,
}

impl PushServices {
    /// Whether Web Push may post there. Without TLS only where the operator says so.
    fn takes(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| match url.scheme() {
            "https" => self.knows(host),
            "http" => self.hosts.iter().any(|listed| listed == host),
            _ => false,
        })
    }

    /// Whether this is the host of a push service.
    fn knows(&self, host: &str) -> bool {
        let listed = SERVICES.iter().copied().chain(self.hosts.iter().map(String::as_str));
        listed.into_iter().any(|listed| match listed.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|name| name.ends_with('.') && name.len() > 1),
            None => host == listed,
        })
    }
}

/// A device that is to be registered.
#[derive(Clone)]
pub struct DeviceInput {
    /// By which service it is reached.
    pub platform: DevicePlatform,
    /// What the service knows it by: for Web Push, where messages for it are posted.
    pub token: String,
    /// Web Push: the browser's public key, in the alphabet of Base64 for URLs.
    pub p256dh: Option<String>,
    /// Web Push: the browser's secret, likewise.
    pub auth: Option<String>,
    /// What the client calls the device.
    pub label: Option<String>,
}

impl Chat {
    /// Registers a device, or has one that is known by this token be the viewer's.
    ///
    /// # Errors
    /// `Invalid` for what no service has given out, and for a service that this server doesn't use.
    pub async fn register_device(&self, viewer: &Viewer, input: DeviceInput) -> Result<device::Model, Error> {
        let keys = self.push.check(&input)?;
        let label = input.label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
        if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL || label.contains(char::is_control)) {
            let problem = format!("must be at most {MAX_LABEL} characters, none of them a control character");
            return Err(Error::invalid(Argument::Label, problem));
        }
        let (user, session) = (viewer.user, viewer.session);
        let DeviceInput { platform, token, .. } = input;
        self.change(RegisterDevice { user, session, platform, token, keys, label }).await
    }

    /// Has a device of the viewer's be notified no longer.
    ///
    /// # Errors
    /// `NotFound` when the viewer has no such device.
    pub async fn unregister_device(&self, viewer: &Viewer, id: DeviceId) -> Result<(), Error> {
        let tx = self.store.begin_write().await?;
        let gone = device::Entity::delete_by_id(id).filter(device::Column::UserId.eq(viewer.user)).exec(&tx).await?;
        tx.commit().await?;
        if gone.rows_affected == 0 {
            return Err(Error::NotFound { what: "device", argument: Argument::DeviceId });
        }
        Ok(())
    }

    /// This server's public key for Web Push, which a browser needs to subscribe.
    #[must_use]
    pub fn push_key(&self) -> Option<Arc<str>> {
        self.push.key.clone()
    }

    /// The viewer's devices, the one that was registered last first: [`MAX_DEVICES`] at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn devices(&self, viewer: &Viewer) -> Result<Vec<device::Model>, Error> {
        let devices = device::Entity::live(self.clock.now())
            .filter(device::Column::UserId.eq(viewer.user))
            .order_by_desc(device::Column::LastUsedAt)
            .order_by_desc(device::Column::Id);
        Ok(devices.limit(MAX_DEVICES).all(self.store.read()).await?)
    }
}

/// A browser's public key and its secret.
type WebPushKeys = (Vec<u8>, Vec<u8>);

impl PushServices {
    /// What of this is kept as keys. An error where no service has given it out.
    fn check(&self, input: &DeviceInput) -> Result<Option<WebPushKeys>, Error> {
        let token = &input.token;
        if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = format!("must be 1 to {MAX_TOKEN} ASCII characters that are visible");
            return Err(Error::invalid(Argument::Token, problem));
        }
        match input.platform {
            DevicePlatform::WebPush => {
                let url = Url::parse(token).ok().filter(|url| url.username().is_empty() && url.password().is_none());
                if !url.is_some_and(|url| self.takes(&url)) {
                    let problem = "must be the endpoint that a browser's push service has given out";
                    return Err(Error::invalid(Argument::Token, problem));
                }
                // An uncompressed point, whether on the curve or not is found when it is used.
                let p256dh = decoded(input.p256dh.as_deref(), Argument::P256dh, 65)?;
                if p256dh[0] != 4 {
                    return Err(Error::invalid(Argument::P256dh, "must be an uncompressed point"));
                }
                Ok(Some((p256dh, decoded(input.auth.as_deref(), Argument::Auth, 16)?)))
            }
            DevicePlatform::Fcm if !self.fcm => {
                Err(Error::invalid(Argument::Platform, "this server has no account with Firebase Cloud Messaging"))
            }
            DevicePlatform::Fcm => Ok(None),
        }
    }
}

fn decoded(text: Option<&str>, argument: Argument, bytes: usize) -> Result<Vec<u8>, Error> {
    let decoded = text.and_then(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
    decoded
        .filter(|decoded| decoded.len() == bytes)
        .ok_or_else(|| Error::invalid(argument, format!("must be {bytes} bytes in Base64 for URLs")))
}

/// Register a device.
pub struct RegisterDevice {
    user: UserId,
    session: Option<SessionId>,
    platform: DevicePlatform,
    token: String,
    keys: Option<WebPushKeys>,
    label: Option<String>,
}

impl Change for RegisterDevice {
    type Outcome = device::Model;
}

impl Alone for RegisterDevice {
    async fn apply(&self, append: &mut Append) -> Result<device::Model, Error> {
        let known = device::Entity::find()
            .filter(device::Column::Platform.eq(self.platform))
            .filter(device::Column::Token.eq(&*self.token))
            .one(append.tx())
            .await?;
        let (p256dh, auth) = self.keys.clone().unzip();
        if let Some(known) = known {
            // Whoever signs in on a device that was another's takes it over, with what is shown there.
            let is_own = known.user_id == self.user;
            let mut row = known.into_active_model();
            (row.user_id, row.session_id) = (Set(self.user), Set(self.session));
            (row.p256dh, row.auth) = (Set(p256dh), Set(auth));
            (row.label, row.last_used_at) = (Set(self.label.clone()), Set(append.now()));
            if !is_own {
                row.created_at = Set(append.now());
                self.make_room(append).await?;
            }
            return Ok(row.update(append.tx()).await?);
        }
        self.make_room(append).await?;
        let device = device::Model {
            id: DeviceId::generate(),
            user_id: self.user,
            session_id: self.session,
            platform: self.platform,
            token: self.token.clone(),
            p256dh,
            auth,
            label: self.label.clone(),
            created_at: append.now(),
            last_used_at: append.now(),
        };
        Ok(device.into_active_model().insert(append.tx()).await?)
    }
}

impl RegisterDevice {
    /// Removes what would be more than [`MAX_DEVICES`].
    async fn make_room(&self, append: &Append) -> Result<(), Error> {
        let theirs = || device::Entity::find().filter(device::Column::UserId.eq(self.user));
        let count = theirs().count(append.tx()).await?;
        if count < MAX_DEVICES {
            return Ok(());
        }
        let oldest: Vec<DeviceId> = theirs()
            .order_by_asc(device::Column::LastUsedAt)
            .limit(count + 1 - MAX_DEVICES)
            .select_only()
            .column(device::Column::Id)
            .into_tuple()
            .all(append.tx())
            .await?;
        device::Entity::delete_many().filter(device::Column::Id.is_in(oldest)).exec(append.tx()).await?;
        Ok(())
    }
}

/// Forgets the devices of these sessions, which have ended.
pub(in crate::chat) async fn forget_sessions(append: &Append, sessions: &[SessionId]) -> Result<(), DbErr> {
    let theirs = one_of(append.store().backend(), device::Column::SessionId, sessions.iter().copied());
    device::Entity::delete_many().filter(Condition::all().add(theirs)).exec(append.tx()).await?;
    Ok(())
}

/// Forgets all devices of these users, whose sessions and tokens have ended.
pub(in crate::chat) async fn forget_users(append: &Append, users: &[UserId]) -> Result<(), DbErr> {
    let theirs = one_of(append.store().backend(), device::Column::UserId, users.iter().copied());
    device::Entity::delete_many().filter(Condition::all().add(theirs)).exec(append.tx()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_push_services_are_known_and_no_names_that_look_like_them() {
        let services = PushServices { hosts: vec!["push.example".to_owned()], fcm: false, key: None };
        for host in ["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com", "push.example"] {
            assert!(services.knows(host), "{host}");
        }
        for host in [
            "evil-fcm.googleapis.com",
            "fcm.googleapis.com.evil.example",
            "push.services.mozilla.com",
            "evilpush.services.mozilla.com",
            ".push.apple.com",
            "localhost",
            "127.0.0.1",
            "x.push.example",
            "",
        ] {
            assert!(!services.knows(host), "{host}");
        }
    }
}
