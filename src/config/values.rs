//! Values as the sources of settings write them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::PREFIX;
use crate::website::Website;

/// Whom a user finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directory {
    /// Every user.
    #[default]
    All,
    /// Those with whom the user shares a room.
    Sharers,
    /// Nobody can be searched for, and a user opens no rooms.
    None,
}

/// What of a message the services see that notify of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushText {
    /// Who has said what.
    #[default]
    Full,
    /// Who has said something.
    Author,
    /// That somebody has.
    None,
}

/// `on` or `off`; files may have `true` or `false`.
pub(super) fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Bool(on) => Ok(Some(on)),
        serde_json::Value::String(text) if text == "on" => Ok(Some(true)),
        serde_json::Value::String(text) if text == "off" => Ok(Some(false)),
        _ => Err(D::Error::custom("expected `on` or `off`")),
    }
}

/// Files hold numbers; the environment and the command line hold text.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| D::Error::custom("expected a whole number"))
}

/// Files hold arrays; the environment and the command line hold text with commas.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }
        array => serde_json::from_value(array).map_err(|_| D::Error::custom("expected a list of texts")),
    }
}

/// A list of networks, or of addresses, each of which is a network of its own.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let parse = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let unknown = |text: &String| D::Error::custom(format!("`{text}` is neither an address nor a network"));
    list(deserializer)?.iter().map(|text| parse(text).map_err(|_| unknown(text))).collect()
}

/// Files hold tables; the environment holds a list of objects in JSON.
pub(super) fn tables<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let tables = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(json) => serde_json::from_str(&json),
        tables => serde_json::from_value(tables),
    };
    tables.map_err(D::Error::custom)
}

/// A scheme and a host, as a browser sends them in `Origin`; or `*`.
pub(super) fn is_origin(text: &str) -> bool {
    text == "*" || Website::parse(text).is_some()
}

/// A header's name ([RFC 9110, section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)); or `*`, which is
/// one as well.
pub(super) fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// <https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables>
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let Some(name) = name.strip_prefix(PREFIX) else { return false };
    name.starts_with("SERVICE_HOST")
        || name.starts_with("SERVICE_PORT")
        || name.starts_with("PORT_")
        || (name == "PORT" && value.contains("://"))
}
