//! Lists as statement parameters, so that a list of any length runs one of a few statements.
//!
//! A plain `IN ($1, $2, …)` is another statement for every length; each is parsed and planned anew, and fills the
//! statement cache. PostgreSQL takes an array as one parameter. SQLite has no arrays, so there the list is padded with
//! its last item to the next power of two, which changes no result.

use std::fmt::Write;

use sea_orm::sea_query::{Expr, ExprTrait, postgres_array::NotU8};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, IdenStatic, Iterable, Value};

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

/// Rows as parameters: the body of a `VALUES` list, used as `WITH t (a, b) AS (VALUES {rows.sql}) …`.
pub(crate) struct ValueRows {
    /// `($1, $2), ($3, $4)`.
    pub sql: String,
    /// The values in the order of the placeholders.
    pub values: Vec<Value>,
}

impl ValueRows {
    /// These rows; there must be at least one.
    pub(crate) fn new<const WIDTH: usize>(rows: impl IntoIterator<Item = [Value; WIDTH]>) -> Self {
        let (mut sql, mut values) = (String::new(), Vec::new());
        for row in rows {
            sql.push_str(if sql.is_empty() { "(" } else { ", (" });
            for (n, value) in row.into_iter().enumerate() {
                values.push(value);
                let _ = write!(sql, "{}${}", if n == 0 { "" } else { ", " }, values.len());
            }
            sql.push(')');
        }
        Self { sql, values }
    }
}

/// The columns of a table, by name: `message.id, message.room_id, …`. With `*`, statements that PostgreSQL has
/// prepared for running nodes would fail as soon as a newer node's migration adds a column.
#[must_use]
pub(crate) fn columns<E: EntityTrait>() -> String {
    let table = E::default().table_name().to_owned();
    let names: Vec<String> = E::Column::iter().map(|column| format!("{table}.{}", column.as_str())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{ValueRows, pad};

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
    fn rows_number_their_placeholders_through() {
        let rows = ValueRows::new([[1.into(), 2.into()], [3.into(), 4.into()]]);
        assert_eq!(rows.sql, "($1, $2), ($3, $4)");
        assert_eq!(rows.values, [1.into(), 2.into(), 3.into(), 4.into()]);
    }
}
