//! Deleting what nobody can fetch any more: files that were deleted, that nobody has posted, and what attempts to send one have
//! left behind. The rows themselves say what is left to do, so it may stop anywhere and be done twice.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::{LOOSE, attach};
use crate::chat::{Chat, Error};
use crate::ids::{AttachmentId, ObjectId};
use crate::store::entity::{attachment, upload};
use crate::store::list::one_of;

/// The most files that one step deletes.
const STEP: u64 = 100;

/// What was collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files that were deleted.
    pub files: u64,
    /// Attempts that had come to nothing.
    pub attempts: u64,
}

impl Chat {
    /// Deletes what nobody can fetch any more.
    ///
    /// # Errors
    /// When the database or the storage fails; the rest is found the next time.
    pub async fn collect_files(&self) -> Result<Collected, Error> {
        let Some(files) = &self.files else { return Ok(Collected::default()) };
        let now = self.store.now(&self.clock).await?;
        // An hour later than they can be posted, so that nobody is posting one of them.
        let (loose, abandoned) = (now - LOOSE - chrono::TimeDelta::hours(1), now - LOOSE);
        let tx = self.store.begin_write().await?;
        let which =
            Condition::all().add(attachment::Column::MessageId.is_null()).add(attachment::Column::CreatedAt.lt(loose));
        attach::delete(&tx, which, now).await?;
        tx.commit().await?;

        let mut collected = Collected::default();
        loop {
            // Word for word the predicate of the partial index `attachment_to_purge`.
            let gone: Vec<AttachmentId> = attachment::Entity::find()
                .select_only()
                .column(attachment::Column::Id)
                .filter(Expr::cust("deleted_at IS NOT NULL"))
                .limit(STEP)
                .into_tuple()
                .all(self.store.read())
                .await?;
            if gone.is_empty() {
                break;
            }
            let kept = self.objects(Condition::all().add(self.are_of(&gone)).add(upload::Column::IsKept.eq(true)));
            let kept = kept.await?;
            for object in &kept {
                files.storage.delete(*object).await.map_err(|error| Error::Internal(std::sync::Arc::new(error)))?;
            }
            let tx = self.store.begin_write().await?;
            let objects = one_of(self.store.backend(), upload::Column::ObjectId, kept);
            upload::Entity::delete_many().filter(objects).exec(&tx).await?;
            let rows = one_of(self.store.backend(), attachment::Column::Id, gone.iter().copied());
            collected.files += attachment::Entity::delete_many().filter(rows).exec(&tx).await?.rows_affected;
            tx.commit().await?;
        }
        // Word for word the predicate of the partial index `upload_to_collect`.
        let which = Condition::all().add(Expr::cust("NOT is_kept")).add(upload::Column::BegunAt.lt(abandoned));
        for object in self.objects(which).await? {
            files.storage.delete(object).await.map_err(|error| Error::Internal(std::sync::Arc::new(error)))?;
            let tx = self.store.begin_write().await?;
            upload::Entity::delete_by_id(object).exec(&tx).await?;
            tx.commit().await?;
            collected.attempts += 1;
        }
        Ok(collected)
    }

    fn are_of(&self, files: &[AttachmentId]) -> Condition {
        Condition::all().add(one_of(self.store.backend(), upload::Column::AttachmentId, files.iter().copied()))
    }

    async fn objects(&self, which: Condition) -> Result<Vec<ObjectId>, DbErr> {
        let found = upload::Entity::find().select_only().column(upload::Column::ObjectId).filter(which);
        found.limit(STEP * 4).into_tuple().all(self.store.read()).await
    }
}
