use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};

use super::Document;

/// Admitted documents by their text, so that a client's usual documents are parsed and weighed once.
pub(super) struct DocumentCache(Cache<Arc<str>, Arc<Document>, HeapBytes>);

/// The most bytes of heap that a parsed document takes per token. Measured with a counting allocator: 178 for the
/// standard introspection query, 264 for nothing but inline fragments, 392 for nothing but fields when their `Vec` has
/// just grown.
const BYTES_PER_TOKEN: u64 = 400;

/// The weight of a client's usual document, of about 100 tokens.
const USUAL_DOCUMENT_BYTES: u64 = 32 * 1024;

impl DocumentCache {
    pub(super) fn new(max_bytes: u64) -> Self {
        let documents = usize::try_from(max_bytes / USUAL_DOCUMENT_BYTES).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(documents, max_bytes, HeapBytes))
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<Document>> {
        self.0.get(text)
    }

    pub(super) fn insert(&self, document: Arc<Document>) {
        self.0.insert(Arc::clone(&document.text), document);
    }
}

#[derive(Clone)]
struct HeapBytes;

impl Weighter<Arc<str>, Arc<Document>> for HeapBytes {
    fn weight(&self, text: &Arc<str>, document: &Arc<Document>) -> u64 {
        // Twice the length of the text, because names and strings are copied out of it.
        2 * text.len() as u64 + document.tokens as u64 * BYTES_PER_TOKEN
    }
}
