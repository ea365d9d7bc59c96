//! Every change that goes through the log: two lists, and how the scribe applies them.

use std::sync::Arc;

use sea_orm::DbErr;

use super::attachment::CreateUpload;
use super::attachment::receive::{BeginUpload, FinishUpload, ForgetUpload};
use super::block::BlockUser;
use super::change::Pending;
use super::device::RegisterDevice;
use super::invite::{CloseInvite, CreateInvite};
use super::message::{DeleteMessage, EditMessage, PinMessage, Post, SetReaction, UpdateMessage};
use super::reading::{MarkRead, MarkUnread, MuteRoom, SetNotifications};
use super::report::{ForgetTexts, MakeReport, ResolveReport};
use super::room::{
    AddMembers, BanMember, CreateRoom, DeleteRoom, Initiate, JoinRoom, Leave, Reenter, RemoveMember, SetMemberRole,
    TimeOutMember, UpdateRoom,
};
use super::session::{Revoke, RevokeAll, RevokeOthers};
use super::user::{ChangePassword, DeleteUser, EraseMessages, UpdateProfile, Upsert};
use crate::log::{self, Append};

macro_rules! commands {
    (bulk: $($bulk:ident),+; alone: $($alone:ident),+ $(,)?) => {
        /// Every change that goes through the log.
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($bulk), "`].")] $bulk(Pending<$bulk>),)+
            $(#[doc = concat!("See [`", stringify!($alone), "`].")] $alone(Pending<$alone>),)+
        }

        $(impl From<Pending<$bulk>> for Command {
            fn from(pending: Pending<$bulk>) -> Self {
                Self::$bulk(pending)
            }
        })+

        $(impl From<Pending<$alone>> for Command {
            fn from(pending: Pending<$alone>) -> Self {
                Self::$alone(pending)
            }
        })+

        impl Command {
            fn is_bulk(&self) -> bool {
                match self {
                    $(Self::$bulk(_) => true,)+
                    $(Self::$alone(_) => false,)+
                }
            }

            /// Applies a run of bulk changes, one type after the other, in the order of the list.
            async fn apply_run(run: &mut [Self], append: &mut Append) -> Result<(), Arc<DbErr>> {
                $({
                    let of_type = run.iter_mut().filter_map(|command| match command {
                        Self::$bulk(pending) => Some(pending),
                        _ => None,
                    });
                    Pending::apply_many(&mut of_type.collect::<Vec<_>>(), append).await?;
                })+
                Ok(())
            }

            async fn apply_alone(&mut self, append: &mut Append) -> Result<(), Arc<DbErr>> {
                match self {
                    $(Self::$bulk(pending) => Pending::apply_many(&mut [pending], append).await,)+
                    $(Self::$alone(pending) => {
                        append.flush().await?;
                        pending.apply(append).await
                    })+
                }
            }
        }

        impl log::ScribeCommand for Command {
            /// Applies the commands in the order of arrival, except for runs of bulk changes, which are applied
            /// together.
            async fn apply_all(commands: &mut [Self], append: &mut Append) -> Result<(), Arc<DbErr>> {
                for run in commands.chunk_by_mut(|a, b| a.is_bulk() && b.is_bulk()) {
                    match run {
                        [alone] => alone.apply_alone(append).await?,
                        run => Self::apply_run(run, append).await?,
                    }
                }
                Ok(())
            }

            fn settle(self) {
                match self {
                    $(Self::$bulk(pending) => pending.settle(),)+
                    $(Self::$alone(pending) => pending.settle(),)+
                }
            }

            fn fail(self, error: Arc<DbErr>) {
                match self {
                    $(Self::$bulk(pending) => pending.fail(error),)+
                    $(Self::$alone(pending) => pending.fail(error),)+
                }
            }

            fn lose(self, error: Arc<DbErr>) {
                match self {
                    $(Self::$bulk(pending) => pending.lose(error),)+
                    $(Self::$alone(pending) => pending.lose(error),)+
                }
            }
        }
    };
}

commands![
    bulk: Post, MarkRead, SetReaction;
    alone: PinMessage, EditMessage, DeleteMessage, UpdateMessage, Initiate, Reenter, CreateRoom, UpdateRoom, AddMembers, RemoveMember,
        SetMemberRole, BanMember, TimeOutMember, JoinRoom, Leave, DeleteRoom, MuteRoom, Revoke, RevokeAll, RevokeOthers,
        ChangePassword, DeleteUser, EraseMessages, UpdateProfile, Upsert, BlockUser, MakeReport, ResolveReport,
        ForgetTexts, CreateInvite, CloseInvite, MarkUnread, SetNotifications, RegisterDevice,
        CreateUpload, BeginUpload, FinishUpload, ForgetUpload,
];

#[cfg(test)]
mod tests;
