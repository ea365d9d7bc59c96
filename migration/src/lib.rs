//! The history of Parlor's database schema, one module per change, oldest first.
//!
//! Imports nothing from the server: a migration must keep meaning what it meant on the day it was written.
//! Every statement is plain SQL, written once; [`dialect`] fills in the few type names in which SQLite and
//! PostgreSQL differ.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod dialect;
mod m0001_chat;
mod m0002_last_seen;
mod m0003_memberships;
mod m0004_session_ends;
mod m0005_replaced_tokens;
mod m0006_host;
mod m0007_own_sessions;
mod m0008_names;
mod m0009_letting_go;
mod m0010_author_behind;
mod m0011_groups;
mod m0012_hidden_rooms;
mod m0013_blocks_reports;
mod m0014_consumers_timers;
mod m0015_reactions;
mod m0016_ways_in;
mod m0017_webhooks;
mod m0018_replies;
mod m0019_attachments;
mod m0020_search;
mod m0021_notifications;
mod m0022_mentions;
mod m0023_segments;
mod m0024_mentions_added;

/// All migrations in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_chat::Migration),
            Box::new(m0002_last_seen::Migration),
            Box::new(m0003_memberships::Migration),
            Box::new(m0004_session_ends::Migration),
            Box::new(m0005_replaced_tokens::Migration),
            Box::new(m0006_host::Migration),
            Box::new(m0007_own_sessions::Migration),
            Box::new(m0008_names::Migration),
            Box::new(m0009_letting_go::Migration),
            Box::new(m0010_author_behind::Migration),
            Box::new(m0011_groups::Migration),
            Box::new(m0012_hidden_rooms::Migration),
            Box::new(m0013_blocks_reports::Migration),
            Box::new(m0014_consumers_timers::Migration),
            Box::new(m0015_reactions::Migration),
            Box::new(m0016_ways_in::Migration),
            Box::new(m0017_webhooks::Migration),
            Box::new(m0018_replies::Migration),
            Box::new(m0019_attachments::Migration),
            Box::new(m0020_search::Migration),
            Box::new(m0021_notifications::Migration),
            Box::new(m0022_mentions::Migration),
            Box::new(m0023_segments::Migration),
            Box::new(m0024_mentions_added::Migration),
        ]
    }
}
