//! Devices on which users are notified.

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, JoinType, QuerySelect, RelationTrait};

use crate::ids::{DeviceId, SessionId, UserId};

/// One app on one device, as a push service knows it.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device")]
pub struct Model {
    /// Which device.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeviceId,
    /// Whose.
    pub user_id: UserId,
    /// The session that has registered it, with which it goes. `None`: a token without a session has.
    pub session_id: Option<SessionId>,
    /// By which service it is reached.
    pub platform: DevicePlatform,
    /// What the service knows it by: for Web Push, where messages for it are posted.
    pub token: String,
    /// Web Push: the browser's public key, a point of P-256.
    pub p256dh: Option<Vec<u8>>,
    /// Web Push: the browser's secret.
    pub auth: Option<Vec<u8>>,
    /// What the client calls it.
    pub label: Option<String>,
    /// When it was registered first.
    pub created_at: ChronoDateTimeUtc,
    /// When it was registered the last time.
    pub last_used_at: ChronoDateTimeUtc,
}

/// `Debug` doesn't show by what a device is reached.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).field("platform", &self.platform).finish_non_exhaustive()
    }
}

/// By which service a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum DevicePlatform {
    /// A browser, by its maker's push service.
    #[sea_orm(num_value = 1)]
    WebPush,
    /// Firebase Cloud Messaging.
    #[sea_orm(num_value = 2)]
    Fcm,
}

/// Joins that start at a device.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The session with which it goes.
    #[sea_orm(belongs_to = "super::session::Entity", from = "Column::SessionId", to = "super::session::Column::Id")]
    Session,
}

impl Related<super::session::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Session.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The devices on which users are notified at this moment: those of a session that has ended aren't among them.
    #[must_use]
    pub fn live(now: ChronoDateTimeUtc) -> Select<Self> {
        let session = Condition::all()
            .add(super::session::Column::RevokedAt.is_null())
            .add(super::session::Column::ExpiresAt.gt(now));
        let reached = Condition::any().add(Column::SessionId.is_null()).add(session);
        Self::find().join(JoinType::LeftJoin, Relation::Session.def()).filter(reached)
    }
}
