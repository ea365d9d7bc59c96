//! The words of open rooms' names, by any of which they are found.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{ConnectionTrait, Statement};

use super::room;
use crate::ids::RoomId;
use crate::store::Transaction;
use crate::store::list::insertion;

/// One word of an open room's name, folded. Each word of a name once; a room that isn't open has none.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "room_word")]
pub struct Model {
    /// The word.
    #[sea_orm(primary_key, auto_increment = false)]
    pub word: String,
    /// Whose name it is part of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
}

/// Joins that start at a word.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The room whose name it is part of.
    #[sea_orm(belongs_to = "room::Entity", from = "Column::RoomId", to = "room::Column::Id")]
    Room,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Whether the room whose word a statement is looking at has a word, passed as an expression, of which this is true.
    pub fn of_same_room(is_meant: impl FnOnce(Expr) -> Expr) -> Expr {
        let other = Alias::new("other_word");
        let word = Expr::col((other.clone(), Column::Word));
        let same_room = Expr::col((other.clone(), Column::RoomId)).equals((Self, Column::RoomId));
        let mut others = Query::select();
        others.expr(Expr::value(1)).from_as(Self, other).and_where(same_room).and_where(is_meant(word));
        Expr::exists(others)
    }

    /// Makes these the words by which this room is found, whatever they were. Whoever writes a room's name or who may join
    /// it calls it in the same transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace(tx: &Transaction, room: RoomId, words: Vec<String>) -> Result<(), DbErr> {
        Self::delete_many().filter(Column::RoomId.eq(room)).exec(tx).await?;
        if words.is_empty() {
            return Ok(());
        }
        let words: Vec<Model> = words.into_iter().map(|word| Model { word, room_id: room }).collect();
        let (backend, mut values) = (tx.get_database_backend(), Vec::new());
        let sql = insertion(backend, &mut values, &words);
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }
}
