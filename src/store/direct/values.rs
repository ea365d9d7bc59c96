//! What a statement is given, and what its rows give, as sqlx writes and reads it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sea_orm::{ColumnType, Value};

use super::GivenUp;

/// The statement with its LIMIT, if it ends in one, as a number instead of a parameter. SQLite prepares a statement anew
/// whenever a parameter is bound that its planner has looked at, as it does at that of LIMIT
/// ([source](https://github.com/sqlite/sqlite/blob/version-3.51.1/src/vdbeapi.c)). Pages have few sizes.
pub(super) fn with_limit<'s>(sql: &'s str, values: &'s [Value]) -> (Cow<'s, str>, &'s [Value]) {
    match (sql.strip_suffix(" LIMIT ?"), values.split_last()) {
        (Some(sql), Some((Value::BigUnsigned(Some(limit)), values))) => (format!("{sql} LIMIT {limit}").into(), values),
        _ => (sql.into(), values),
    }
}

/// Gives a statement its parameters, as sqlx does: `$3` is the third, and one without a number that which follows the last
/// one without.
pub(super) fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<(), GivenUp> {
    let mut unnumbered = 0;
    for index in 1..=statement.parameter_count() {
        let number = if let Some(name) = statement.parameter_name(index) {
            name.get(1..).and_then(|number| number.parse().ok()).ok_or(GivenUp)?
        } else {
            unnumbered += 1;
            unnumbered
        };
        let value = values.get(usize::checked_sub(number, 1).ok_or(GivenUp)?).ok_or(GivenUp)?;
        statement.raw_bind_parameter(index, Parameter(value))?;
    }
    Ok(())
}

/// A value as sqlx writes it.
struct Parameter<'v>(&'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = match self.0 {
            Value::String(value) => value.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Value::Bytes(value) => value.as_ref().map(|bytes| ValueRef::Blob(bytes)),
            Value::Uuid(value) => value.as_ref().map(|uuid| ValueRef::Blob(uuid.as_bytes())),
            Value::ChronoDateTimeUtc(Some(value)) => {
                return Ok(value.to_rfc3339_opts(SecondsFormat::AutoSi, false).into());
            }
            Value::ChronoDateTimeUtc(None) => None,
            number => integer(number)?.map(ValueRef::Integer),
        };
        Ok(ToSqlOutput::Borrowed(bytes.unwrap_or(ValueRef::Null)))
    }
}

fn integer(value: &Value) -> rusqlite::Result<Option<i64>> {
    Ok(match value {
        Value::Bool(value) => value.map(i64::from),
        Value::SmallInt(value) => value.map(i64::from),
        Value::Int(value) => value.map(i64::from),
        Value::BigInt(value) => *value,
        Value::Unsigned(value) => value.map(i64::from),
        Value::BigUnsigned(value) => value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)),
        _ => return Err(rusqlite::Error::InvalidQuery),
    })
}

/// What the values of a column are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    SmallInt,
    Int,
    BigInt,
    Text,
    Bytes,
    Uuid,
    Time,
}

/// Where in a row these columns stand, and what is in them.
pub(super) fn places(
    names: &[&str],
    columns: impl IntoIterator<Item = (&'static str, ColumnType)>,
) -> Result<Vec<(usize, Kind)>, GivenUp> {
    let mut next = 0;
    let found = columns.into_iter().map(|(name, r#type)| {
        // They stand in the same order, nearly always.
        let is_next = names.get(next).is_some_and(|it| *it == name);
        let place = if is_next { Some(next) } else { names.iter().position(|it| *it == name) };
        let place = place.ok_or(GivenUp)?;
        next = place + 1;
        Ok((place, Kind::of(&r#type).ok_or(GivenUp)?))
    });
    found.collect()
}

impl Kind {
    fn of(r#type: &ColumnType) -> Option<Self> {
        Some(match r#type {
            ColumnType::Boolean => Self::Bool,
            ColumnType::SmallInteger => Self::SmallInt,
            ColumnType::Integer => Self::Int,
            ColumnType::BigInteger => Self::BigInt,
            ColumnType::String(_) | ColumnType::Text => Self::Text,
            ColumnType::Blob | ColumnType::Binary(_) | ColumnType::VarBinary(_) => Self::Bytes,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::TimestampWithTimeZone => Self::Time,
            _ => return None,
        })
    }

    /// This value of such a column.
    pub(super) fn value(self, value: ValueRef<'_>) -> Result<Value, GivenUp> {
        let is_null = matches!(value, ValueRef::Null);
        let number = || value.as_i64_or_null().map_err(|_| GivenUp);
        let text = || value.as_str_or_null().map_err(|_| GivenUp);
        let bytes = || value.as_blob_or_null().map_err(|_| GivenUp);
        Ok(match self {
            Self::Bool => Value::Bool(number()?.map(|number| number != 0)),
            Self::SmallInt => Value::SmallInt(number()?.map(i16::try_from).transpose().map_err(|_| GivenUp)?),
            Self::Int => Value::Int(number()?.map(i32::try_from).transpose().map_err(|_| GivenUp)?),
            Self::BigInt => Value::BigInt(number()?),
            Self::Text => Value::String(text()?.map(str::to_owned)),
            Self::Bytes => Value::Bytes(bytes()?.map(<[u8]>::to_vec)),
            Self::Uuid => Value::Uuid(bytes()?.map(uuid::Uuid::from_slice).transpose().map_err(|_| GivenUp)?),
            Self::Time if is_null => Value::ChronoDateTimeUtc(None),
            Self::Time => Value::ChronoDateTimeUtc(Some(time(text()?.unwrap_or_default()).ok_or(GivenUp)?)),
        })
    }
}

/// A moment, as sqlx writes it or as SQL does.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let written = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    written.or_else(|_| NaiveDateTime::parse_from_str(text, "%F %T%.f").map(|time| time.and_utc())).ok()
}
