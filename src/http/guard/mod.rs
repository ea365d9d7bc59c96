//! The guard before the parser: every document, on every path, passes [`Guard::admit`] before async-graphql parses it.
//!
//! async-graphql's parser recurses without bound on nested values, and it follows every spread of a fragment anew each
//! time. On a thread of 2 MiB `[[[[…` of 3.6 KB aborts the process, and 22 fragments of two spreads each, 0.8 KB,
//! occupy a core for 14 s, before any limit of the schema applies. Hence, in this order:
//!
//! - `cache`: a document that was admitted before costs a hash lookup.
//! - `prescan`: bytes, tokens and brackets of the raw text, so that parsing is safe.
//! - `fold`: what the parser doesn't know yet, written as it does.
//! - `weigh`: the parsed document with fragments expanded, so that validating and executing are safe.
//! - `repeats`: aliases and repetitions, so that a few bytes don't ask for the same text many times.
//!
//! An operation has to be within the limits by itself. All operations of a document together may be ten times as large,
//! because all are validated.
//!
//! The [`Contract`] checks the rest: whether the document is valid; and the schema the complexity with list multipliers.

mod cache;
mod fold;
mod limits;
pub mod prescan;
mod refusal;
mod repeats;
#[cfg(test)]
mod tests;
pub mod weigh;

use std::sync::{Arc, OnceLock};

use async_graphql::Name;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument};

use self::cache::DocumentCache;
pub use self::{limits::Limits, refusal::Refusal};
use crate::graphql::{Contract, Plan, Problem};

/// Admits documents that are safe to parse, validate and execute, and keeps them parsed.
pub struct Guard {
    limits: Limits,
    limits_together: Limits,
    admitted: DocumentCache,
}

/// Why no operation of a document could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Choice {
    /// It has several operations, and none was named.
    #[error("the document has several operations: name one in `operationName`")]
    Unnamed,
    /// It has no operation of that name.
    #[error("the document has no operation of the name that `operationName` gives")]
    UnknownName,
}

/// A document within the limits.
#[derive(Debug)]
pub struct Document {
    text: Arc<str>,
    /// As the parser read it.
    folded: Option<Box<str>>,
    operations: Vec<Admitted>,
    validity: OnceLock<Result<(), Vec<Problem>>>,
    /// From these the cache estimates how much memory the document takes.
    tokens: usize,
}

/// One operation of a document.
#[derive(Debug)]
struct Admitted {
    name: Option<Name>,
    /// The limit that it exceeds by itself.
    refusal: Option<Refusal>,
    plan: Arc<Plan>,
}

impl Guard {
    /// A guard with an empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let admitted = DocumentCache::new(limits.cache_bytes);
        Self { limits_together: limits.together(), limits, admitted }
    }

    /// Scans, parses and weighs a document, or takes it from the cache.
    ///
    /// # Errors
    /// [`Refusal::Syntax`] if it is no GraphQL document, any other [`Refusal`] for the limit that it exceeds as a whole.
    pub fn admit(&self, text: &str) -> Result<Arc<Document>, Refusal> {
        if text.len() > self.limits.max_bytes {
            return Err(Refusal::TooLong { max: self.limits.max_bytes });
        }
        if let Some(document) = self.admitted.get(text) {
            return Ok(document);
        }
        let tokens = prescan::prescan(text, &self.limits)?.tokens;
        let folded = fold::fold(text);
        let parsed = parse_query(&folded)?;
        let limits = match &parsed.operations {
            DocumentOperations::Multiple(several) if several.len() > 1 => &self.limits_together,
            _ => &self.limits,
        };
        weigh::weigh(&parsed, limits)?;
        repeats::count(&parsed, limits)?;

        let document = Arc::new(Document {
            text: text.into(),
            operations: self.operations(&parsed),
            folded: (*folded != *text).then(|| folded.into()),
            validity: OnceLock::new(),
            tokens,
        });
        self.admitted.insert(Arc::clone(&document));
        Ok(document)
    }

    fn operations(&self, document: &ExecutableDocument) -> Vec<Admitted> {
        let operations = document.operations.iter().zip(Plan::of(document));
        let admitted = operations.map(|((_, operation), (name, plan))| Admitted {
            name,
            refusal: weigh::alone(document, &operation.node, &self.limits)
                .and_then(|()| repeats::alone(document, &operation.node, &self.limits))
                .err(),
            plan: Arc::new(plan),
        });
        admitted.collect()
    }
}

impl Document {
    /// Whether it is valid, which is found out once.
    ///
    /// # Errors
    /// What is wrong with it; never empty.
    pub fn validate(&self, contract: &Contract) -> Result<(), Vec<Problem>> {
        self.validity.get_or_init(|| contract.validate(self.folded.as_deref().unwrap_or(&self.text))).clone()
    }

    /// The operation that a request means.
    ///
    /// # Errors
    /// When the request doesn't say which operation it means, or names one that doesn't exist; when that operation
    /// exceeds a limit.
    pub fn choose(&self, name: Option<&str>) -> Result<Result<&Arc<Plan>, Refusal>, Choice> {
        let chosen = match (&self.operations[..], name) {
            ([only], None) => only,
            (_, None) => return Err(Choice::Unnamed),
            (all, Some(name)) => {
                let named = all.iter().find(|operation| operation.name.as_deref() == Some(name));
                named.ok_or(Choice::UnknownName)?
            }
        };
        Ok(chosen.refusal.clone().map_or(Ok(&chosen.plan), Err))
    }

    /// Whether `syncCursor` may be among its fields: the word is somewhere in it.
    #[must_use]
    pub fn asks_sync_cursor(&self) -> bool {
        self.text.contains("syncCursor")
    }

    /// Whether it may ask for the schema: all that is answered at length to those who aren't signed in.
    #[must_use]
    pub fn asks_introspection(&self) -> bool {
        let count = |word| self.text.matches(word).count();
        count("__schema") > 0 || count("__type") > count("__typename")
    }

    /// The document as the client sent it.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}
