//! What goes with messages that are deleted.

use sea_orm::DbErr;

use super::{index, mention, reaction};
use crate::chat::attachment::attach;
use crate::log::Append;
use crate::store::entity::message;

/// Forgets what stands around these messages, which this transaction deletes: in the index, reactions, mentions and files. They are
/// given as they were. Their pins go after it was told that they are deleted: [`pin::forget`](super::pin::forget).
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget(append: &Append, messages: &[&message::Model]) -> Result<(), DbErr> {
    // First, while their files are called what they were called.
    index::forget(append.store(), append.tx(), messages).await?;
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    reaction::forget(append, &ids).await?;
    mention::forget(append, messages).await?;
    let with_files = messages.iter().filter(|message| message.attachment_count > 0);
    let with_files: Vec<_> = with_files.map(|message| message.id).collect();
    attach::forget(append.store(), append.tx(), &with_files, append.now()).await
}
