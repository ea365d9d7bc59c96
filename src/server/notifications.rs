//! Sets up what notifies users on their devices.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::core::{Core, StartError};
use crate::chat::Chat;
use crate::config::{self, Config};
use crate::notify::notice::PushText;
use crate::notify::push::{Fcm, Push, Vapid};
use crate::notify::{self, Notifications};
use crate::outgoing::Outgoing;

/// What notifies users on their devices.
pub(super) async fn open(
    config: &Config,
    core: &Core,
    chat: &Chat,
    later: Option<Duration>,
) -> Result<Arc<Notifications>, StartError> {
    let (store, clock) = (&core.store, chat.clock());
    // An address that the operator names is reached though it isn't public.
    let own: Vec<IpNet> = config.push_hosts.iter().filter_map(|host| host.parse().map(IpAddr::into).ok()).collect();
    let outgoing = Outgoing::new(&own).map_err(StartError::Tls)?;
    let vapid = Vapid::open(store, clock.now(), config.push_contact.clone()).await?;
    let fcm = match &config.fcm_account {
        Some(path) => Some(Fcm::open(path, &config.fcm_url, outgoing.clone(), clock.clone())?),
        None => None,
    };
    let push = Push::new(outgoing, vapid, fcm, clock.clone());
    let text = match config.push_text {
        config::PushText::Full => PushText::Full,
        config::PushText::Author => PushText::Author,
        config::PushText::None => PushText::None,
    };
    let later = later.unwrap_or(notify::LATER);
    Ok(Notifications::new(chat.clone(), store.clone(), core.metrics.clone(), push, text, later))
}
