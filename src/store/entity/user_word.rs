//! The words of users' display names, by any of which they are found.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{ConnectionTrait, Statement};

use super::user;
use crate::ids::UserId;
use crate::store::Transaction;
use crate::store::list::{ROWS_PER_STATEMENT, insertion, one_of};

/// One word of a user's display name, folded. Each word of a name once.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_word")]
pub struct Model {
    /// The word.
    #[sea_orm(primary_key, auto_increment = false)]
    pub word: String,
    /// Whose name it is part of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
}

/// Joins that start at a word.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user whose name it is part of.
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Whether the user whose word a statement is looking at has a word, passed as an expression, of which this is true.
    pub fn of_same_user(is_meant: impl FnOnce(Expr) -> Expr) -> Expr {
        let other = Alias::new("other_word");
        let word = Expr::col((other.clone(), Column::Word));
        let same_user = Expr::col((other.clone(), Column::UserId)).equals((Self, Column::UserId));
        let mut others = Query::select();
        others.expr(Expr::value(1)).from_as(Self, other).and_where(same_user).and_where(is_meant(word));
        Expr::exists(others)
    }

    /// Makes these the words of these users' names, whatever they were. Whoever writes display names calls it in the same
    /// transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace(tx: &Transaction, names: &[(UserId, Vec<String>)]) -> Result<(), DbErr> {
        for names in names.chunks(ROWS_PER_STATEMENT) {
            let users: BTreeSet<UserId> = names.iter().map(|(user, _)| *user).collect();
            let backend = tx.get_database_backend();
            Self::delete_many().filter(one_of(backend, Column::UserId, users)).exec(tx).await?;
            let words: Vec<Model> = names
                .iter()
                .flat_map(|(user, words)| words.iter().map(|word| Model { word: word.clone(), user_id: *user }))
                .collect();
            for words in words.chunks(ROWS_PER_STATEMENT) {
                let mut values = Vec::new();
                let sql = insertion(backend, &mut values, words);
                tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            }
        }
        Ok(())
    }
}
