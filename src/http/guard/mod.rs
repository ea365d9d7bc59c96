//! The guard before the parser: every document, on every path, passes [`Guard::admit`] before async-graphql parses it.
//!
//! async-graphql's parser recurses without bound on nested values, and it follows every spread of a fragment anew each
//! time. On a thread of 2 MiB `[[[[…` of 3.6 KB aborts the process, and 22 fragments of two spreads each, 0.8 KB,
//! occupy a core for 14 s, before any limit of the schema applies. Hence, in this order:
//!
//! - `cache`: a document that was admitted before costs a hash lookup.
//! - `prescan`: bytes, tokens and brackets of the raw text, so that parsing is safe.
//! - `weigh`: the parsed document with fragments expanded, so that validating and executing are safe.
//! - `repeats`: aliases and repetitions, so that a few bytes don't ask for the same text many times.
//!
//! The schema checks the rest: whether fields and types exist, and the complexity with list multipliers.

mod cache;
mod limits;
pub mod prescan;
mod refusal;
mod repeats;
#[cfg(test)]
mod tests;
pub mod weigh;

use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};

use self::cache::DocumentCache;
pub use self::{limits::Limits, refusal::Refusal};
use crate::graphql::{Validated, Validations};

/// Admits documents that are safe to parse, validate and execute, and keeps them parsed.
pub struct Guard {
    limits: Limits,
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
    parsed: ExecutableDocument,
    validations: Arc<Validations>,
    /// From these the cache estimates how much memory `parsed` takes.
    tokens: usize,
}

impl Guard {
    /// A guard with an empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let admitted = DocumentCache::new(limits.cache_bytes);
        Self { limits, admitted }
    }

    /// Scans, parses and weighs a document, or takes it from the cache.
    ///
    /// # Errors
    /// [`Refusal::Syntax`] if it is no GraphQL document, any other [`Refusal`] for the limit that it exceeds.
    pub fn admit(&self, text: &str) -> Result<Arc<Document>, Refusal> {
        if text.len() > self.limits.max_bytes {
            return Err(Refusal::TooLong { max: self.limits.max_bytes });
        }
        if let Some(document) = self.admitted.get(text) {
            return Ok(document);
        }
        let tokens = prescan::prescan(text, &self.limits)?.tokens;
        let parsed = parse_query(text)?;
        weigh::weigh(&parsed, &self.limits)?;
        repeats::count(&parsed, &self.limits)?;

        let document = Arc::new(Document { text: text.into(), parsed, validations: Arc::default(), tokens });
        self.admitted.insert(Arc::clone(&document));
        Ok(document)
    }
}

impl Document {
    /// The document as async-graphql executes it.
    #[must_use]
    pub fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// The operation that a request means: the same choice that async-graphql makes when it executes.
    ///
    /// # Errors
    /// When the request doesn't say which operation it means, or names one that doesn't exist.
    pub fn choose(&self, name: Option<&str>) -> Result<&OperationDefinition, Choice> {
        choose(&self.parsed.operations, name)
    }

    /// The validations of this document, as far as they concern this request.
    #[must_use]
    pub fn validated(&self, name: Option<&str>, variables: &Variables) -> Validated {
        Validated::new(&self.validations, self.choose(name).ok(), name, variables)
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

fn choose<'d>(operations: &'d DocumentOperations, name: Option<&str>) -> Result<&'d OperationDefinition, Choice> {
    let chosen = match (operations, name) {
        (DocumentOperations::Single(operation), None) => operation,
        (DocumentOperations::Single(_), Some(_)) => return Err(Choice::UnknownName),
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).ok_or(Choice::UnknownName)?,
        (DocumentOperations::Multiple(named), None) => match (named.len(), named.values().next()) {
            (1, Some(operation)) => operation,
            _ => return Err(Choice::Unnamed),
        },
    };
    Ok(&chosen.node)
}
