//! "The log has grown": rung across nodes, so that an event reaches them immediately instead of at their next poll.
//!
//! It carries no content: a party that can ring it can make nodes read the log, and do nothing else. Nothing depends on
//! it arriving, arriving once, or in order; without it, a node reads the events of others at its next poll.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, BrokerError, BrokerState};
use crate::position::Position;

/// The one subject on which nodes ring.
const SUBJECT: &str = "parlor.head";

/// Rings when `head` moves, and notifies `rung` when another node rings, until cancelled. Without a broker it does
/// nothing: this node's own commits reach the tail without it.
///
/// # Errors
/// When the subscription at the broker fails.
pub(crate) async fn run(
    broker: Broker,
    mut head: watch::Receiver<Position>,
    rung: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    let Some(mut rings) = broker.subscribe(SUBJECT).await? else { return Ok(()) };
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ring_of_another = rings.next() => match ring_of_another {
                Some(_) => rung.notify_one(),
                None => return Ok(()),
            },
            moved = head.changed() => match moved {
                Ok(()) => ring(&broker).await,
                Err(_) => return Ok(()),
            },
        }
    }
}

/// Rings if the broker is connected. A ring that waited for the connection to come back would only be late, because the
/// other nodes poll meanwhile.
async fn ring(broker: &Broker) {
    if broker.state() == BrokerState::Connected {
        broker.publish(SUBJECT, Bytes::new()).await;
        broker.flush(SUBJECT).await;
    }
}
