//! How far the index of messages has come. There is one row.

use sea_orm::entity::prelude::*;

use crate::position::Position;

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_state")]
pub struct Model {
    /// 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// Which form its tokens have; 0 where it is to be made anew.
    pub form: i32,
    /// All messages up to this position that aren't deleted are in it, and no others.
    pub upto: Position,
}

/// Joins that start here: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
