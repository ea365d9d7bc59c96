/// How large an operation may be. Every limit is the largest value still admitted.
///
/// *All* operations of a document are validated, not only the one that is asked for, and unused fragments as well. So
/// everything that is counted "after expansion" is also counted over the whole document, where there may be
/// [ten times](Self::together) as much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Length of the document in bytes of UTF-8.
    pub max_bytes: usize,
    /// Names, numbers, strings and punctuators. Fractions of numbers, and names that begin with `true`, `false` or
    /// `null`, count as more than one, because the parser may read them so.
    pub max_tokens: usize,
    /// Open brackets (`{`, `[`, `(`) at any point of the text; and nested selection sets once fragments are expanded,
    /// where async-graphql's own limit applies too. Bounds the recursion of the parser, the validator, the executor and
    /// the guard itself.
    pub max_nesting: usize,
    /// Nested fields after expansion, outside introspection.
    pub max_depth: usize,
    /// Nested fields beneath `__schema` and `__type`. The standard introspection query asks for nine levels of `ofType`
    /// below `types.fields.args.type` and so reaches 15.
    pub max_introspection_depth: usize,
    /// Fields in the answer to all `__schema` and `__type` fields, taking lists to be as long as in Parlor's own
    /// schema. The standard introspection query is estimated at 166,000.
    pub max_introspection_cost: usize,
    /// Selections after expansion: a field counts as one, and so does each fragment spread and inline fragment, because
    /// spreads alone can multiply without a single field.
    pub max_fields: usize,
    /// Fields at the root of one query or subscription, after expansion.
    pub max_query_roots: usize,
    /// Fields at the root of one mutation, after expansion.
    pub max_mutation_roots: usize,
    /// Directives after expansion.
    pub max_directives: usize,
    /// Arguments of one field or directive. async-graphql compares the arguments of fields with the same response key
    /// pairwise.
    pub max_arguments: usize,
    /// Variables used in arguments after expansion. async-graphql clones the variable's whole value at each use, so the
    /// cost of one is that of the variables the client sends along.
    pub max_variable_uses: usize,
    /// Fields under another name than their own, after expansion.
    pub max_aliases: usize,
    /// How often one field may be selected of one object, after expansion and under whatever names: fragments of many
    /// components may each ask for the `id`.
    pub max_repetitions: usize,
    /// Memory of the cache of admitted documents, in bytes.
    pub cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024,
            max_tokens: 2_000,
            max_nesting: 32,
            max_depth: 12,
            max_introspection_depth: 20,
            max_introspection_cost: 400_000,
            max_fields: 1_000,
            max_query_roots: 20,
            max_mutation_roots: 5,
            max_directives: 20,
            max_arguments: 32,
            max_variable_uses: 100,
            max_aliases: 200,
            max_repetitions: 50,
            cache_bytes: 4 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The limits of all operations of a document together: an app may send all of its operations with each request. What
    /// is counted in the text, and what bounds recursion, is the same.
    #[must_use]
    pub fn together(&self) -> Self {
        const TIMES: usize = 10;
        Self {
            max_fields: self.max_fields * TIMES,
            max_introspection_cost: self.max_introspection_cost * TIMES,
            max_directives: self.max_directives * TIMES,
            max_variable_uses: self.max_variable_uses * TIMES,
            max_aliases: self.max_aliases * TIMES,
            ..self.clone()
        }
    }
}
