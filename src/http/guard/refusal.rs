use async_graphql::{Pos, parser, parser::types::OperationType};

/// Why a document was refused. Messages name the limit and never repeat what the client sent, except for names of
/// fragments and operations: letters, digits and `_`, cut short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is too long.
    #[error("the document is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// The text has too many tokens.
    #[error("the document has more than {max} tokens")]
    TooManyTokens {
        /// The limit.
        max: usize,
    },
    /// Brackets, or selection sets once fragments are expanded, are nested too deep.
    #[error("the document is nested more than {max} levels deep")]
    NestedTooDeep {
        /// The limit.
        max: usize,
    },
    /// The text is no GraphQL document.
    #[error("syntax error: {message}")]
    Syntax {
        /// What the parser expected, at most 200 bytes.
        message: String,
        /// Where, if the parser knows.
        position: Option<Pos>,
    },
    /// A fragment spreads itself, directly or through others.
    #[error("the fragment \"{name}\" spreads itself")]
    FragmentCycle {
        /// One of the fragments in the cycle.
        name: String,
    },
    /// Fields are nested too deep.
    #[error("fields are selected more than {max} levels deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Fields beneath `__schema` or `__type` are nested too deep.
    #[error("introspection goes more than {max} levels deep")]
    IntrospectionTooDeep {
        /// The limit.
        max: usize,
    },
    /// The answer to `__schema` and `__type` would be too large.
    #[error("introspection asks for more than an estimated {max} fields")]
    IntrospectionTooCostly {
        /// The limit.
        max: usize,
    },
    /// Too many fields once fragments are expanded.
    #[error("the document selects more than {max} fields once fragments are expanded")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
    /// Too many fields at the root of an operation.
    #[error("a {operation} selects more than {max} fields at its root")]
    TooManyRoots {
        /// The kind of operation.
        operation: OperationType,
        /// The limit.
        max: usize,
    },
    /// Too many directives once fragments are expanded.
    #[error("the document has more than {max} directives once fragments are expanded")]
    TooManyDirectives {
        /// The limit.
        max: usize,
    },
    /// A field or directive with too many arguments.
    #[error("a field or directive has more than {max} arguments")]
    TooManyArguments {
        /// The limit.
        max: usize,
    },
    /// Variables are used too often.
    #[error("the document uses variables more than {max} times once fragments are expanded")]
    TooManyVariableUses {
        /// The limit.
        max: usize,
    },
    /// Too many fields under another name than their own.
    #[error("the document has more than {max} aliases once fragments are expanded")]
    TooManyAliases {
        /// The limit.
        max: usize,
    },
    /// One field too often.
    #[error("the document selects one field of an object more than {max} times")]
    TooManyRepetitions {
        /// The limit.
        max: usize,
    },
}

/// Longest text of a syntax error.
const MAX_MESSAGE_BYTES: usize = 200;

/// Longest name repeated in a message.
const MAX_NAME_BYTES: usize = 64;

impl Refusal {
    /// A stable label for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::TooManyTokens { .. } => "too_many_tokens",
            Self::NestedTooDeep { .. } => "nested_too_deep",
            Self::Syntax { .. } => "syntax",
            Self::FragmentCycle { .. } => "fragment_cycle",
            Self::TooDeep { .. } => "too_deep",
            Self::IntrospectionTooDeep { .. } => "introspection_too_deep",
            Self::IntrospectionTooCostly { .. } => "introspection_too_costly",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::TooManyRoots { .. } => "too_many_roots",
            Self::TooManyDirectives { .. } => "too_many_directives",
            Self::TooManyArguments { .. } => "too_many_arguments",
            Self::TooManyVariableUses { .. } => "too_many_variable_uses",
            Self::TooManyAliases { .. } => "too_many_aliases",
            Self::TooManyRepetitions { .. } => "too_many_repetitions",
        }
    }

    /// Where in the text, for syntax errors.
    #[must_use]
    pub fn position(&self) -> Option<Pos> {
        match self {
            Self::Syntax { position, .. } => *position,
            _ => None,
        }
    }

    pub(super) fn fragment_cycle(name: &str) -> Self {
        Self::FragmentCycle { name: shortened(name, MAX_NAME_BYTES) }
    }
}

impl From<parser::Error> for Refusal {
    fn from(error: parser::Error) -> Self {
        let message = match &error {
            // pest quotes the offending line and then adds "  = expected …": only the latter is safe to repeat.
            parser::Error::Syntax { message, .. } => {
                let expected = message.rsplit_once("\n  = ").map_or(&**message, |(_, expected)| expected);
                shortened(expected, MAX_MESSAGE_BYTES)
            }
            parser::Error::OperationDuplicated { operation, .. } => {
                format!("operation \"{}\" is defined twice", shortened(operation, MAX_NAME_BYTES))
            }
            parser::Error::FragmentDuplicated { fragment, .. } => {
                format!("fragment \"{}\" is defined twice", shortened(fragment, MAX_NAME_BYTES))
            }
            other => shortened(&other.to_string(), MAX_MESSAGE_BYTES),
        };
        Self::Syntax { message, position: error.positions().next() }
    }
}

fn shortened(text: &str, max_bytes: usize) -> String {
    text[..text.floor_char_boundary(max_bytes)].to_owned()
}
