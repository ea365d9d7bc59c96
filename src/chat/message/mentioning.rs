//! The messages that mention a user.

use sea_orm::{DbErr, EntityTrait};

use crate::chat::{Chat, Slice, Viewer, Window};
use crate::position::Position;
use crate::store::entity::{block, member, message};
use crate::store::list::columns;

impl Chat {
    /// The messages in the viewer's rooms that mention the viewer, by name or with everybody in the room, the newest first, without
    /// those of authors whom the viewer blocks. One statement: what it reads grows with the page and the viewer's rooms.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mentions(&self, viewer: &Viewer, window: &Window<Position>) -> Result<Slice<message::Model>, DbErr> {
        let named = block::blocks("member.user_id", "mention.author_id");
        let called = |table: &str| {
            let blocked = block::blocks("member.user_id", &format!("{table}.author_id"));
            format!(
                "{table}.room_id = member.room_id AND {table}.mentions_room AND {table}.position < $2 \
                 AND {table}.author_id <> member.user_id AND NOT {blocked}"
            )
        };
        // Of each room only as many as the page has: those from the last of these on.
        let sql = format!(
            "WITH found AS (SELECT room_id, seq FROM (SELECT mention.room_id AS room_id, mention.seq AS seq FROM mention \
                JOIN member ON member.room_id = mention.room_id AND member.user_id = mention.user_id AND {is_present} \
                WHERE mention.user_id = $1 AND mention.position < $2 AND NOT {named} \
                ORDER BY mention.position DESC LIMIT $3) AS named \
              UNION SELECT called.room_id, called.seq FROM member JOIN message AS called ON {called} \
                AND called.position >= COALESCE((SELECT edge.position FROM message AS edge WHERE {edge} \
                  ORDER BY edge.position DESC LIMIT 1 OFFSET $3 - 1), $4) \
                WHERE member.user_id = $1 AND {is_present}) \
             SELECT {columns} FROM found JOIN message ON message.room_id = found.room_id AND message.seq = found.seq \
             ORDER BY COALESCE(message.position, 0) DESC LIMIT $3",
            is_present = member::is_present("member"),
            called = called("called"),
            edge = called("edge"),
            columns = columns::<message::Entity>(),
        );
        let before = window.after.unwrap_or(Position(i64::MAX));
        let limit = i64::from(window.limit) + 1;
        let values = vec![viewer.user.into(), before.into(), limit.into(), i64::MIN.into()];
        let found = message::Entity::find().from_raw_sql(self.store.statement(&sql, values));
        Ok(Slice::probed(found.all(self.store.read()).await?, window))
    }
}
