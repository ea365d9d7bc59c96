//! Coming back: what was missed is replayed in order, or announced; never left out in silence.

mod absence;
mod away;
mod cursors;
mod gaps;
mod recent;
mod replaced;
mod sealed;
mod slow;
mod subscriptions;
