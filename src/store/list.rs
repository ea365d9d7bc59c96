//! Lists as statement parameters, so that a list of any length runs one of a few statements.
//!
//! A plain `IN ($1, $2, …)` is another statement for every length; each is parsed and planned anew, and fills the
//! statement cache. PostgreSQL takes an array as one parameter. SQLite has no arrays, so there the list is padded with
//! its last item to the next power of two, which changes no result.

use std::fmt::Write;

use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, postgres_array::NotU8};
use sea_orm::{ColumnTrait, DbBackend, EntityName, EntityTrait, IdenStatic, Iterable, ModelTrait, Value};

/// Rows per statement on SQLite: well below its 32,766 parameters for the widest table.
pub(crate) const ROWS_PER_STATEMENT: usize = 1_000;

/// `column` is one of `items`.
pub(crate) fn one_of<C, V>(backend: DbBackend, column: C, items: impl IntoIterator<Item = V>) -> Expr
where
    C: ColumnTrait,
    V: Into<Value> + NotU8 + Clone,
{
    if backend == DbBackend::Postgres {
        return column.eq_any(items);
    }
    let mut items: Vec<V> = items.into_iter().collect();
    pad(&mut items);
    Expr::col(column.as_column_ref()).is_in(items)
}

fn pad<V: Clone>(items: &mut Vec<V>) {
    if let Some(last) = items.last().cloned() {
        items.resize(items.len().next_power_of_two(), last);
    }
}

/// Rows as parameters of a statement that has no others yet, used as `WITH t (a, b) AS ({rows.sql}) …`.
pub(crate) struct Rows {
    /// `VALUES (?, ?), (?, ?)`, or what is the same to PostgreSQL.
    pub sql: String,
    /// The values in the order of the placeholders.
    pub values: Vec<Value>,
}

impl Rows {
    /// These rows; there must be at least one.
    pub(crate) fn new<const WIDTH: usize>(backend: DbBackend, rows: impl IntoIterator<Item = [Value; WIDTH]>) -> Self {
        let mut values = Vec::new();
        let sql = add_rows(backend, &mut values, rows);
        Self { sql, values }
    }
}

/// Rows as further parameters of a statement that has these: see [`Rows`]. There must be at least one, and in each
/// column all values are of one type. PostgreSQL receives each column as one array, so that it knows the statement
/// however many rows there are.
///
/// Rows that come first have no numbers on SQLite: it keeps numbered parameters in one list, which it goes through from the
/// beginning for each of them, when it reads the text and whenever the driver asks for a name. The driver gives parameters
/// without a number the values from the first on, and goes on from there in the next statement of the same text; numbers
/// may stand beside them.
pub(crate) fn add_rows<R: IntoIterator<Item = Value>>(
    backend: DbBackend,
    values: &mut Vec<Value>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    if backend == DbBackend::Postgres { add_columns(values, rows) } else { add_tuples(values, rows) }
}

/// `VALUES (?, ?), (?, ?)`, or `VALUES ($3, $4), ($5, $6)` where other values come before.
fn add_tuples<R: IntoIterator<Item = Value>>(values: &mut Vec<Value>, rows: impl IntoIterator<Item = R>) -> String {
    let is_first = values.is_empty();
    let mut sql = String::from("VALUES ");
    for (n, row) in rows.into_iter().enumerate() {
        sql.push_str(if n == 0 { "(" } else { ", (" });
        for (n, value) in row.into_iter().enumerate() {
            values.push(value);
            sql.push_str(if n == 0 { "" } else { ", " });
            if is_first {
                sql.push('?');
            } else {
                let _ = write!(sql, "${}", values.len());
            }
        }
        sql.push(')');
    }
    sql
}

/// `SELECT * FROM unnest($1::int4[], $2::text[])`.
fn add_columns<R: IntoIterator<Item = Value>>(values: &mut Vec<Value>, rows: impl IntoIterator<Item = R>) -> String {
    let mut columns: Vec<Vec<Value>> = Vec::new();
    for row in rows {
        for (n, value) in row.into_iter().enumerate() {
            match columns.get_mut(n) {
                Some(column) => column.push(value),
                None => columns.push(vec![value]),
            }
        }
    }
    let mut sql = String::from("SELECT * FROM unnest(");
    for (n, column) in columns.into_iter().enumerate() {
        let Some(r#type) = column.first().map(Value::array_type) else { continue };
        let _ = write!(sql, "{}${}::{}[]", if n == 0 { "" } else { ", " }, values.len() + 1, postgres_type(&r#type));
        values.push(Value::Array(r#type, Some(Box::new(column))));
    }
    sql.push(')');
    sql
}

/// PostgreSQL's name of a type of value. A column of any other type has none, and the statement is refused.
fn postgres_type(r#type: &ArrayType) -> &'static str {
    match r#type {
        ArrayType::Bool => "bool",
        ArrayType::SmallInt => "int2",
        ArrayType::Int => "int4",
        ArrayType::BigInt => "int8",
        ArrayType::String => "text",
        ArrayType::Uuid => "uuid",
        ArrayType::ChronoDateTimeUtc => "timestamptz",
        _ => "unknown",
    }
}

/// The values of a row, in the order of [`columns`].
pub(crate) fn values<M: ModelTrait>(model: &M) -> impl Iterator<Item = Value> {
    <M::Entity as EntityTrait>::Column::iter().map(|column| model.get(column))
}

/// `INSERT INTO …` of these rows, of which there must be at least one, as further parameters of a statement.
pub(crate) fn insertion<'m, M: ModelTrait + 'm>(
    backend: DbBackend,
    parameters: &mut Vec<Value>,
    models: impl IntoIterator<Item = &'m M>,
) -> String {
    let names: Vec<&str> = <M::Entity as EntityTrait>::Column::iter().map(|column| column.as_str()).collect();
    let table = <M::Entity as Default>::default().table_name().to_owned();
    let rows = add_rows(backend, parameters, models.into_iter().map(values));
    format!("INSERT INTO {table} ({}) {rows}", names.join(", "))
}

/// The columns of a table, by name: `message.id, message.room_id, …`. With `*`, statements that PostgreSQL has
/// prepared for running nodes would fail as soon as a newer node's migration adds a column.
#[must_use]
pub(crate) fn columns<E: EntityTrait>() -> String {
    let table = E::default().table_name().to_owned();
    let names: Vec<String> = E::Column::iter().map(|column| format!("{table}.{}", column.as_str())).collect();
    names.join(", ")
}

/// The same under names that begin with `prefix`, for rows that hold the columns of several tables.
#[must_use]
pub(crate) fn columns_as<E: EntityTrait>(prefix: &str) -> String {
    let table = E::default().table_name().to_owned();
    let names = E::Column::iter().map(|column| format!("{table}.{name} AS {prefix}{name}", name = column.as_str()));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_repeats_the_last_item_up_to_a_power_of_two() {
        let mut five = vec![1, 2, 3, 4, 5];
        pad(&mut five);
        assert_eq!(five, [1, 2, 3, 4, 5, 5, 5, 5]);

        let mut none: Vec<i32> = vec![];
        pad(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn rows_have_no_numbers_where_they_come_first_and_are_numbered_through_after_other_values() {
        let rows = Rows::new(DbBackend::Sqlite, [[1.into(), 2.into()], [3.into(), 4.into()]]);
        assert_eq!(rows.sql, "VALUES (?, ?), (?, ?)");
        assert_eq!(rows.values, [1.into(), 2.into(), 3.into(), 4.into()]);

        let mut values = vec![Value::from(0)];
        let sql = add_rows(DbBackend::Sqlite, &mut values, [[1.into(), 2.into()], [3.into(), 4.into()]]);
        assert_eq!(sql, "VALUES ($2, $3), ($4, $5)");
        assert_eq!(values, [0.into(), 1.into(), 2.into(), 3.into(), 4.into()]);
    }

    #[test]
    fn postgres_receives_an_array_for_each_column_and_knows_every_number_of_rows() {
        let rows = |count: i32| {
            let rows = (0..count).map(|n| [n.into(), Value::String((n > 0).then(|| n.to_string()))]);
            Rows::new(DbBackend::Postgres, rows)
        };
        assert_eq!(rows(1).sql, "SELECT * FROM unnest($1::int4[], $2::text[])");
        assert_eq!(rows(1).sql, rows(100).sql);
        assert_eq!(rows(100).values.len(), 2);
    }
}
