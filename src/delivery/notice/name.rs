//! What the app's own backend knows events by.

use crate::log::Kind;

/// Kinds that are shown to the app's own backend as another type than to those whom they concern.
const OTHERS: [(Kind, &str); 5] = [
    (Kind::RoomJoined, "MemberJoined"),
    (Kind::MemberRemoved, "MemberLeft"),
    (Kind::MemberBanned, "MemberLeft"),
    (Kind::RoomDeleted, "RoomLeft"),
    (Kind::ReportMade, "ReportFiled"),
];

/// The name of the type as which events of this kind are shown to the app's own backend, which isn't concerned by them.
#[must_use]
pub(crate) fn type_name(kind: Kind) -> String {
    let other = OTHERS.iter().find(|(other, _)| *other == kind);
    other.map_or_else(|| format!("{kind:?}"), |(_, name)| (*name).to_owned())
}

/// The name of a type as receivers of webhooks are used to it: `message.posted` of `MessagePosted`.
#[must_use]
pub(crate) fn dotted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('.');
        }
        text.extend(c.to_lowercase());
    }
    text
}
