//! What of the index on PostgreSQL isn't as it should be, for `parlor check`.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value,
};

use super::{Postings, Segment, Stored, key, pages};
use crate::position::Position;
use crate::store::entity::{message, search_state};
use crate::store::search::{Indexed, file_names};
use crate::text::search::FORM;

/// Compares what each segment has with what messages say.
pub(in crate::store) async fn broken(snapshot: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    let Some(state) = search_state::Entity::find_by_id(1_i16).one(snapshot).await? else {
        return Ok(vec!["there is no row that says how far the index is".to_owned()]);
    };
    let mut findings = Vec::new();
    if state.form != FORM {
        // It is to be made anew.
        return Ok(findings);
    }
    let mut after = Position(i64::MIN);
    let statement = |sql: &str, values: Vec<Value>| Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let sql = "SELECT DISTINCT upto FROM search_page WHERE upto NOT IN (SELECT upto FROM search_segment) ORDER BY upto";
    for row in snapshot.query_all_raw(statement(sql, vec![])).await? {
        findings
            .push(format!("there are pages of a segment up to {}, which there isn't", row.try_get_by_index::<i64>(0)?));
    }
    let segments =
        statement("SELECT upto, low, messages, xmin::text::int8 AS version FROM search_segment ORDER BY upto", vec![]);
    for segment in Segment::find_by_statement(segments).all(snapshot).await? {
        let (Segment { low, upto, .. }, found) = (&segment, findings.len());
        if Position(*low) <= after || upto < low || Position(*upto) > state.upto {
            findings.push(format!("the segment from {low} to {upto} is out of place"));
        }
        let sql = "SELECT token, low, page FROM search_page WHERE upto = $1 ORDER BY token, low";
        let mut postings = Postings::new();
        for stored in Stored::find_by_statement(statement(sql, vec![(*upto).into()])).all(snapshot).await? {
            if pages::read(&stored.page, &mut postings).is_err() {
                findings.push(format!("a page of the segment up to {upto} is damaged"));
            }
        }
        compare(snapshot, after, Position(*upto), postings, &mut findings).await?;
        after = Position(*upto);
        if findings.len() > found + MAX_FOUND {
            break;
        }
    }
    compare(snapshot, after, state.upto, Postings::new(), &mut findings).await?;
    Ok(findings)
}

/// After so many findings in a segment, others are of the same kind.
const MAX_FOUND: usize = 1_000;

async fn compare(
    snapshot: &DatabaseTransaction,
    after: Position,
    upto: Position,
    postings: Postings,
    findings: &mut Vec<String>,
) -> Result<(), DbErr> {
    if after >= upto {
        return Ok(());
    }
    let mut held: BTreeMap<i64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (token, positions) in postings {
        for position in positions {
            held.entry(position).or_default().insert(token.clone());
        }
    }
    let mut from = after;
    loop {
        let messages = message::Entity::find()
            .filter(message::Column::Position.gt(from))
            .filter(message::Column::Position.lte(upto))
            .order_by_asc(message::Column::Position)
            .limit(CHUNK)
            .all(snapshot)
            .await?;
        let names = file_names(snapshot, &messages).await?;
        for message in &messages {
            let Some(position) = message.position.filter(|_| message.deleted_at.is_none()) else { continue };
            match (held.remove(&position.0), Indexed::of(message, &names)) {
                (None, _) => findings.push(format!("the message at {} is not in the index", position.0)),
                (Some(held), Some(indexed))
                    if indexed.tokens.iter().map(|it| key(it)).collect::<BTreeSet<_>>() != held =>
                {
                    findings.push(format!("the index has other words of the message at {}", position.0));
                }
                _ => {}
            }
        }
        match messages.last().and_then(|last| last.position) {
            Some(last) if messages.len() as u64 == CHUNK => from = last,
            _ => break,
        }
    }
    let left = held.into_keys();
    findings.extend(left.map(|at| format!("the index has a message at {at}, where none is to be found")));
    Ok(())
}

/// So many messages are read at a time.
const CHUNK: u64 = 5_000;
