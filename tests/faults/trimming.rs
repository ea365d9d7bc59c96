//! Pruning old events while everybody posts.

use std::time::{Duration, Instant};

use parlor::position::Position;
use parlor::store::entity::event;
use sea_orm::prelude::{DateTimeUtc, Expr};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use tokio::time::sleep;

use crate::absence::{PER_ROOM, meet, post_behind_the_back};
use crate::data::Data;
use crate::line::{Line, position};
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};

/// How long a post may wait in the meantime.
const LIMIT: Duration = Duration::from_secs(1);

/// Most of the log is older than what is kept. It is pruned in small steps, between which everybody posts. A client
/// whose cursor is in the pruned part must fetch anew; a client that keeps listening notices nothing.
pub async fn old_events_are_let_go_of_under_traffic(context: Context) -> Outcome {
    let (data, rooms) = (Data::sqlite(), context.pick(50, 500));
    let mut node = Node::start(&data, &[]).await;
    let ann = meet(&node, rooms).await;
    let old = ann.sync_cursor().await;
    node.stop().await;
    let db = data.connect().await;
    post_behind_the_back(&db).await;
    node.up().await;
    let load = Load::start(Routes::to(&[&node]), Shape::default(), context.dice("load")).await;
    sleep(Duration::from_secs(1)).await;
    let upto = Position(position(&old) + i64::from(u32::try_from(rooms * PER_ROOM).unwrap_or_default()));
    age(&db, upto).await;

    // A node prunes immediately when it starts.
    node.stop().await;
    node.up().await;
    let begun = Instant::now();
    while first(&db).await <= upto && begun.elapsed() < Duration::from_mins(2) {
        sleep(Duration::from_millis(20)).await;
    }
    let ended = Instant::now();
    let (took, left) = (ended - begun, first(&db).await);
    db.close().await.expect("the connection closes");
    sleep(Duration::from_secs(1)).await;
    let ann = node.endpoint().sign_in("ann").await;
    let mut line = Line::events(node.addr(), &ann.access_token, Some(&old)).await.expect("the node is there");
    let told = line.until_synced().await.expect("the node answers");
    let told: Vec<&str> = told.iter().map(|event| &*event.kind).collect();
    let finished = load.finish(&data).await;
    let silence = finished.longest_silence(begun, ended, None);
    let measured = format!("{} events gone in {took:.1?}, nobody posted for {silence:.2?} at most", upto.0);
    Outcome::new("posts wait at most 1 s meanwhile, the log stays whole", measured)
        .expect(left == upto.next(), format_args!("the log begins at {left:?} instead of after {upto:?}"))
        .expect(silence <= LIMIT, "posts had to wait")
        .expect(told == ["ResyncRequired", "Synced"], format_args!("who stood in what is gone was told {told:?}"))
        .finished(finished)
}

/// Makes events up to this one older than anything that is kept.
async fn age(db: &DatabaseConnection, upto: Position) {
    let old = event::Entity::update_many().col_expr(event::Column::At, Expr::value(DateTimeUtc::UNIX_EPOCH));
    old.filter(event::Column::Position.lte(upto)).exec(db).await.expect("the rows can be written");
}

/// The first event of the log.
async fn first(db: &DatabaseConnection) -> Position {
    let first = event::Entity::find().order_by_asc(event::Column::Position).one(db).await;
    first.expect("the log can be read").map_or(Position(0), |event| event.position)
}
