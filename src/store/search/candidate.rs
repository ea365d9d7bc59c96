//! A row of what may be found, as either way of reading has it.

use sea_orm::sea_query::ValueType;
use sea_orm::{ColumnType, DbErr, FromQueryResult, QueryResult, Value};

use super::message;
use crate::store::direct::{self, FromValues, GivenUp};

/// A message that may be found, and what its files are called.
pub(crate) struct Candidate {
    /// The message.
    pub message: message::Model,
    /// One name a line. `None`: it has no files.
    pub file_names: Option<String>,
}

impl FromQueryResult for Candidate {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            message: message::Model::from_query_result(row, prefix)?,
            file_names: row.try_get(prefix, "file_names")?,
        })
    }
}

impl FromValues for Candidate {
    fn columns() -> Vec<(&'static str, ColumnType)> {
        direct::columns::<message::Entity>().chain([("file_names", ColumnType::Text)]).collect()
    }

    fn from_values(next: &mut dyn FnMut() -> Result<Value, GivenUp>) -> Result<Self, GivenUp> {
        let message = direct::model::<message::Entity>(next)?;
        let file_names = <Option<String> as ValueType>::try_from(next()?).map_err(|_| GivenUp)?;
        Ok(Self { message, file_names })
    }
}
