//! Notifications: of what, on which devices, and how much there is that the viewer hasn't read.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::room::Room;
use super::values::ids;
use super::values::scalars::DateTime;
use crate::chat::device::DeviceInput as NewDevice;
use crate::chat::reading::{NotificationLevel as Level, UnreadSummary as Summary};
use crate::chat::room::RoomRef;
use crate::ids::DeviceId;
use crate::limits::PerUser;
use crate::store::entity::device::{self, DevicePlatform as Platform};

/// Of what a member of a room is notified.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Level")]
pub(crate) enum NotificationLevel {
    /// Of every message.
    All,
    /// Of messages by which the member is mentioned.
    Mentions,
    /// Of none: the room is muted.
    None,
}

/// By which service a device is reached.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Platform")]
pub(crate) enum DevicePlatform {
    /// A browser, by its maker's push service (RFC 8030).
    WebPush,
    /// Firebase Cloud Messaging, where the server has an account with it.
    Fcm,
}

/// What the viewer has not read, in all rooms. Whole numbers, without a cap.
#[derive(Description)]
pub(crate) struct UnreadSummary(pub(super) Summary);

/// A number for a client; no server holds as many messages as would not fit.
fn shown(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[Object(use_type_description)]
impl UnreadSummary {
    /// Names it in a client's cache: there is one for each user. `node` doesn't take it.
    async fn id(&self) -> ID {
        ids::of_user("unread", self.0.user_id)
    }

    /// How many rooms have messages that the viewer has not read, without those that are muted.
    async fn rooms(&self) -> i32 {
        shown(self.0.rooms)
    }

    /// How many messages these are: of others, and not deleted.
    async fn messages(&self) -> i32 {
        shown(self.0.messages)
    }

    /// How many messages in all rooms, in muted ones too, mention the viewer, who has not read them.
    async fn mentions(&self) -> i32 {
        shown(self.0.mentions)
    }

    /// What to show as a number on the app's icon: the unread messages of all rooms of which the viewer is notified at `ALL`, and
    /// the unread mentions elsewhere.
    async fn badge(&self) -> i32 {
        shown(self.0.badge)
    }
}

/// A device on which the viewer is notified. Nobody else sees it.
#[derive(Description)]
pub(crate) struct Device(pub(super) device::Model);

#[Object(use_type_description)]
impl Device {
    /// Names it, for `unregisterDevice`. `node` doesn't take it.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// By which service it is reached.
    async fn platform(&self) -> DevicePlatform {
        self.0.platform.into()
    }

    /// What the client calls it. Null when it said nothing.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// When it was registered first.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was registered the last time.
    async fn last_used_at(&self) -> DateTime {
        self.0.last_used_at.into()
    }
}

/// A device as a push service knows it.
#[derive(InputObject)]
pub(crate) struct DeviceInput {
    /// By which service it is reached.
    platform: DevicePlatform,
    /// What the service knows it by: at most 2,048 characters. For Web Push the `endpoint` of the subscription, at the push
    /// service of a browser's maker; for Firebase Cloud Messaging the registration token.
    token: String,
    /// Web Push: `keys.p256dh` of the subscription.
    #[graphql(name = "p256dh")]
    p256dh: Option<String>,
    /// Web Push: `keys.auth` of the subscription.
    auth: Option<String>,
    /// What to call the device: at most 100 characters.
    label: Option<String>,
}

/// Of what the viewer is notified now.
#[derive(SimpleObject)]
pub(crate) struct SetNotificationsPayload {
    /// The room.
    room: Room,
}

/// The device that was registered.
#[derive(SimpleObject)]
pub(crate) struct RegisterDevicePayload {
    /// The device.
    device: Device,
}

/// The device on which the viewer is notified no longer.
#[derive(SimpleObject)]
pub(crate) struct UnregisterDevicePayload {
    /// The device.
    device_id: ID,
}

/// Saying of what to be notified, and where.
#[derive(Default)]
pub(crate) struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Says of what in a room the viewer is notified. `NONE` mutes the room, as `muteRoom` does; a room that is unmuted by
    /// `muteRoom` is at the level that it had before.
    ///
    /// The viewer's other sockets receive `RoomMuted`.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room.
    async fn set_notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "Of what.")] level: NotificationLevel,
    ) -> Result<SetNotificationsPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let room = ctx.chat().set_notifications(viewer, ctx.room_id(room_id).await?, level.into()).await?;
        Ok(SetNotificationsPayload { room: Room(room) })
    }

    /// Has the viewer be notified on a device, for as long as the session lasts that comes with the request. Do it again at
    /// every start of the app: the same token is the same device, and one that was another user's becomes the viewer's. A
    /// user has at most 20; one more takes the place of the one that was registered the longest ago.
    ///
    /// Errors: `BAD_USER_INPUT` for what no push service has given out, and for a service that this server doesn't use.
    async fn register_device(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The device.")] input: DeviceInput,
    ) -> Result<RegisterDevicePayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let DeviceInput { platform, token, p256dh, auth, label } = input;
        let input = NewDevice { platform: platform.into(), token, p256dh, auth, label };
        let device = ctx.chat().register_device(viewer, input).await?;
        Ok(RegisterDevicePayload { device: Device(device) })
    }

    /// Has the viewer be notified on a device no longer. Signing out does so, too.
    ///
    /// Errors: `NOT_FOUND` when the viewer has no such device.
    async fn unregister_device(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The device.")] device_id: DeviceId,
    ) -> Result<UnregisterDevicePayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        ctx.chat().unregister_device(viewer, device_id).await?;
        Ok(UnregisterDevicePayload { device_id: device_id.into() })
    }
}
