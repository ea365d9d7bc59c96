//! Scalars that GraphQL itself doesn't have.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, InputValueError, InputValueResult, OutputType, Positioned, Scalar, ScalarType, ServerResult,
    Value,
};
use chrono::{SecondsFormat, SubsecRound, Utc};

use crate::position::{CursorCodec, CursorText};

pub(crate) use crate::position::ShownCursor;

/// A moment, in UTC to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DateTime(pub chrono::DateTime<Utc>);

impl From<chrono::DateTime<Utc>> for DateTime {
    fn from(moment: chrono::DateTime<Utc>) -> Self {
        Self(moment)
    }
}

impl From<DateTime> for chrono::DateTime<Utc> {
    fn from(moment: DateTime) -> Self {
        moment.0
    }
}

/// A moment as RFC 3339 text, always in UTC and to the microsecond: `2025-01-31T12:34:56.123456Z`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            // What both databases keep of it.
            Value::String(text) => Ok(Self(chrono::DateTime::parse_from_rfc3339(text)?.to_utc().trunc_subsecs(6))),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// A place in the viewer's event stream. Opaque: keep the latest one, and pass it as `after` to continue from there.
///
/// It stays valid for as long as the server keeps events; after that, the stream answers it with `ResyncRequired`.
#[Scalar(name = "Cursor")]
impl ScalarType for CursorText {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(text.parse()?),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// In an answer it is a [`CursorText`] that is made when it is shown, by the [`CursorCodec`] of the schema.
impl OutputType for ShownCursor {
    fn type_name() -> Cow<'static, str> {
        <CursorText as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <CursorText as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let codec = ctx.data::<CursorCodec>().map_err(|error| error.into_server_error(field.pos))?;
        Ok(ScalarType::to_value(&codec.seal_shown(*self)))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_to_the_microsecond() {
        let moment = DateTime(Utc.with_ymd_and_hms(2025, 1, 31, 12, 34, 56).single().expect("a moment"));
        assert_eq!(moment.to_value(), Value::from("2025-01-31T12:34:56.000000Z"));
    }

    #[test]
    fn a_moment_of_another_zone_is_read_as_utc() {
        let moment = <DateTime as ScalarType>::parse(Value::from("2025-01-31T14:34:56+02:00")).expect("RFC 3339");
        assert_eq!(moment.to_value(), Value::from("2025-01-31T12:34:56.000000Z"));
    }
}
