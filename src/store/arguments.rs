//! A statement's parameters as the databases take them.
//!
//! The conversion of `sea-query-sqlx` takes no NULL in an array, and the columns of rows that are written to PostgreSQL have
//! them (`store/list.rs`).

use sea_orm::sea_query::ArrayType;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{Arguments, Encode, Postgres, Type};
use sea_orm::{DbErr, Value};

/// These values as parameters of SQLite, in their order.
///
/// # Errors
/// When one is of a type that no table has.
pub(super) fn sqlite_arguments(values: &[Value]) -> Result<SqliteArguments, DbErr> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Bool(value) => arguments.add(*value),
            Value::SmallInt(value) => arguments.add(*value),
            Value::Int(value) => arguments.add(*value),
            Value::BigInt(value) => arguments.add(*value),
            Value::Unsigned(value) => arguments.add(value.map(i64::from)),
            Value::BigUnsigned(value) => arguments.add(value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))),
            Value::Double(value) => arguments.add(*value),
            Value::String(value) => arguments.add(value.as_deref()),
            Value::Bytes(value) => arguments.add(value.as_deref()),
            Value::Uuid(value) => arguments.add(*value),
            Value::ChronoDateTimeUtc(value) => arguments.add(*value),
            _ => return Err(unknown(value)),
        }
        .map_err(|error| DbErr::Type(error.to_string()))?;
    }
    Ok(arguments)
}

/// These values as parameters of PostgreSQL, in their order.
///
/// # Errors
/// When one is of a type that no table has.
pub(super) fn arguments(values: &[Value]) -> Result<PgArguments, DbErr> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Bool(value) => add(&mut arguments, *value),
            Value::SmallInt(value) => add(&mut arguments, *value),
            Value::Int(value) => add(&mut arguments, *value),
            Value::BigInt(value) => add(&mut arguments, *value),
            // PostgreSQL has no numbers without a sign. This is also what a LIMIT is.
            Value::Unsigned(value) => add(&mut arguments, value.map(i64::from)),
            Value::BigUnsigned(value) => {
                add(&mut arguments, value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
            }
            Value::Double(value) => add(&mut arguments, *value),
            Value::String(value) => add(&mut arguments, value.as_deref()),
            Value::Bytes(value) => add(&mut arguments, value.as_deref()),
            Value::Uuid(value) => add(&mut arguments, *value),
            Value::ChronoDateTimeUtc(value) => add(&mut arguments, *value),
            Value::Array(r#type, Some(items)) => add_array(&mut arguments, r#type, items),
            _ => Err(unknown(value)),
        }?;
    }
    Ok(arguments)
}

fn add_array(arguments: &mut PgArguments, r#type: &ArrayType, items: &[Value]) -> Result<(), DbErr> {
    macro_rules! array_of {
        ($variant:ident, $convert:expr) => {{
            let items = items.iter().map(|item| match item {
                Value::$variant(item) => Ok($convert(item)),
                other => Err(unknown(other)),
            });
            add(arguments, items.collect::<Result<Vec<_>, DbErr>>()?)
        }};
    }
    match r#type {
        ArrayType::Bool => array_of!(Bool, |item: &Option<bool>| *item),
        ArrayType::SmallInt => array_of!(SmallInt, |item: &Option<i16>| *item),
        ArrayType::Int => array_of!(Int, |item: &Option<i32>| *item),
        ArrayType::BigInt => array_of!(BigInt, |item: &Option<i64>| *item),
        ArrayType::String => array_of!(String, Option::as_deref),
        ArrayType::Bytes => array_of!(Bytes, Option::as_deref),
        ArrayType::Uuid => array_of!(Uuid, |item: &Option<uuid::Uuid>| *item),
        ArrayType::ChronoDateTimeUtc => {
            array_of!(ChronoDateTimeUtc, |item: &Option<chrono::DateTime<chrono::Utc>>| *item)
        }
        _ => Err(DbErr::Type(format!("an array of {type:?} is no parameter"))),
    }
}

fn add<'v, T: Encode<'v, Postgres> + Type<Postgres> + 'v>(arguments: &mut PgArguments, value: T) -> Result<(), DbErr> {
    arguments.add(value).map_err(|error| DbErr::Type(error.to_string()))
}

fn unknown(value: &Value) -> DbErr {
    DbErr::Type(format!("{:?} is no parameter", value.array_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tables_hold_and_what_statements_are_limited_by_are_parameters() {
        let array = |r#type, items: Vec<Value>| Value::Array(r#type, Some(Box::new(items)));
        let values = [
            true.into(),
            1_i16.into(),
            2_i32.into(),
            3_u32.into(),
            4_i64.into(),
            5_u64.into(),
            "text".into(),
            vec![6_u8].into(),
            uuid::Uuid::nil().into(),
            chrono::DateTime::<chrono::Utc>::default().into(),
            array(ArrayType::Int, vec![7_i32.into(), Value::Int(None)]),
            array(ArrayType::String, vec!["text".into(), Value::String(None)]),
            array(ArrayType::Bytes, vec![vec![8_u8].into()]),
        ];
        assert_eq!(arguments(&values).map(|arguments| arguments.len()).ok(), Some(values.len()));
        let plain = &values[..values.len() - 3];
        assert_eq!(sqlite_arguments(plain).map(|arguments| arguments.len()).ok(), Some(plain.len()));
        assert!(sqlite_arguments(&values).is_err());
        assert!(arguments(&[Value::Char(Some('c'))]).is_err());
        let mixed = array(ArrayType::Int, vec![7_i32.into(), "text".into()]);
        assert!(arguments(&[mixed]).is_err());
    }
}
