//! An operation as clients send it: the body of a POST, the parameters of a GET, or the payload of a `subscribe` message.

use async_graphql::ServerError;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::graphql::{ErrorCode, GivenVariables};
use crate::json::{self, JsonText, LoneSurrogate, Members};

/// An operation as the client sends it. Members that aren't known are ignored, as [GraphQL over
/// HTTP](https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters) demands.
#[derive(Debug)]
pub struct RequestBody {
    /// The document.
    pub query: String,
    /// The name of the operation that is meant; may be left out when the document has only one.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub(crate) variables: GivenVariables,
    /// Additions to the protocol.
    pub(crate) extensions: Extensions,
}

/// Additions to the protocol that Parlor knows; others are ignored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// The cursor from which a subscription resumes.
    pub(crate) after: Option<String>,
    /// Whether the request names its document by a hash.
    is_persisted: bool,
}

/// The request is no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// The text isn't JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The text is an array.
    #[error("batching is off: send one operation per request")]
    Batch,
    /// The JSON has another shape.
    #[error("the request must be an object with `query` and, if need be, `operationName`, `variables`, `extensions`")]
    NoObject,
    /// A member is missing, comes twice, or is of another type.
    #[error("`{member}` {problem}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The document is named by a hash, and not sent along. Clients know the text, and then send the document.
    #[error("PersistedQueryNotSupported")]
    PersistedQuery,
}

impl InvalidBody {
    /// The refusal as clients see it.
    #[must_use]
    pub(crate) fn to_error(&self) -> ServerError {
        let code = match self {
            Self::PersistedQuery => ErrorCode::PersistedQueryNotSupported,
            _ => ErrorCode::BadUserInput,
        };
        let mut error = code.error(self.to_string());
        if let Self::Member { member, .. } = self {
            error.extensions.get_or_insert_default().set("field", *member);
        }
        error
    }
}

const fn wrong(member: &'static str, problem: &'static str) -> InvalidBody {
    InvalidBody::Member { member, problem }
}

impl RequestBody {
    /// Reads an operation.
    ///
    /// # Errors
    /// When the text isn't JSON, is no object, lacks `query`, or has a known member twice or of another type.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidBody> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
        // Whatever it is, it must be JSON to its end.
        let _: IgnoredAny = serde_json::from_slice(json)
            .map_err(|error| InvalidBody::NotJson { line: error.line(), column: error.column() })?;
        let text = std::str::from_utf8(json).map_err(|error| not_utf8(&json[..error.valid_up_to()]))?;
        let json: &RawValue = serde_json::from_str(text).map_err(|_| InvalidBody::NoObject)?;
        Self::read(json)
    }

    /// The operation that is this JSON.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn read(json: &RawValue) -> Result<Self, InvalidBody> {
        if json.get().starts_with('[') {
            return Err(InvalidBody::Batch);
        }
        let members = Members::of(json).ok_or(InvalidBody::NoObject)?;
        let member = |name| members.single(name).map_err(|_| wrong(name, "must come once"));
        let (query, operation_name) = (string("query", member("query")?)?, member("operationName")?);
        let operation_name = string("operationName", operation_name)?;
        Self::of(query, operation_name, member("variables")?, member("extensions")?)
    }

    /// The operation of a request whose members came apart, `variables` and `extensions` as JSON.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn from_parts(
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<&str>,
        extensions: Option<&str>,
    ) -> Result<Self, InvalidBody> {
        let parse = |member: &'static str, json: Option<&str>| {
            let json = json.filter(|json| !json.trim().is_empty()).map(serde_json::from_str::<Box<RawValue>>);
            json.transpose().map_err(|_| wrong(member, "must be JSON"))
        };
        let (variables, extensions) = (parse("variables", variables)?, parse("extensions", extensions)?);
        Self::of(query, operation_name, variables.as_deref(), extensions.as_deref())
    }

    fn of(
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<&RawValue>,
        extensions: Option<&RawValue>,
    ) -> Result<Self, InvalidBody> {
        let extensions = Extensions::read(extensions)?;
        let variables = GivenVariables::new(variables).map_err(|_| wrong("variables", "must be an object"))?;
        let query = match query {
            Some(query) if !(query.is_empty() && extensions.is_persisted) => query,
            _ if extensions.is_persisted => return Err(InvalidBody::PersistedQuery),
            _ => return Err(wrong("query", "must be a string: the document")),
        };
        // Some clients send an empty name where there is none.
        let operation_name = operation_name.filter(|name| !name.is_empty());
        Ok(Self { query, operation_name, variables, extensions })
    }
}

impl Extensions {
    fn read(json: Option<&RawValue>) -> Result<Self, InvalidBody> {
        let Some(json) = json.filter(|json| !json::is_null(json)) else { return Ok(Self::default()) };
        let members = Members::of(json).ok_or(wrong("extensions", "must be an object"))?;
        let after = members.single("after").map_err(|_| wrong("after", "must come once in `extensions`"))?;
        Ok(Self {
            after: string("after", after)?,
            is_persisted: matches!(members.single("persistedQuery"), Ok(Some(_)) | Err(_)),
        })
    }
}

fn string(member: &'static str, json: Option<&RawValue>) -> Result<Option<String>, InvalidBody> {
    let Some(json) = json else { return Ok(None) };
    let text = json::text(json).ok_or(wrong(member, "must be a string"))?;
    let half = |LoneSurrogate| wrong(member, "holds half of a surrogate pair, which is no Unicode text");
    JsonText::get(text).map(Some).map_err(half)
}

/// Where a text ends to be UTF-8.
fn not_utf8(before: &[u8]) -> InvalidBody {
    let (line, last) = before.split(|byte| *byte == b'\n').enumerate().last().unwrap_or_default();
    InvalidBody::NotJson { line: line + 1, column: last.len() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> InvalidBody {
        RequestBody::parse(json.as_bytes()).expect_err(json)
    }

    #[test]
    fn an_operation_needs_only_a_query() {
        for json in [
            r#"{"query":"{a}"}"#,
            r#" {"query":"{a}","operationName":null,"variables":null,"extensions":null} "#,
            r#"{"query":"{a}","operationName":"","variables":{"v":[1]},"extensions":{"persistedQuery":{"version":1}}}"#,
            "\u{feff}{\"query\":\"{a}\"}",
        ] {
            let body = RequestBody::parse(json.as_bytes()).expect(json);
            assert_eq!((&*body.query, body.operation_name), ("{a}", None), "{json}");
        }
    }

    #[test]
    fn what_is_not_known_is_ignored_whatever_it_is() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for unknown in [
            r#""id":"1""#,
            r#""id":1,"id":2"#,
            r#""x":"\ud83d""#,
            r#""\ud83d":1"#,
            r#""n":1e999"#,
            &format!("\"d\":{deep}"),
        ] {
            let json =
                format!(r#"{{{unknown},"qu\u0065ry":"{{a}}","extensions":{{{unknown}}},"variables":{{{unknown}}}}}"#);
            let body = RequestBody::parse(json.as_bytes()).expect(&json);
            assert_eq!(body.query, "{a}", "{json}");
        }
    }

    #[test]
    fn members_that_are_missing_doubled_or_of_another_type_are_refused() {
        for (member, json) in [
            ("query", "{}"),
            ("query", r#"{"query":null}"#),
            ("query", r#"{"query":["{a}"]}"#),
            ("query", r#"{"query":[123,97,125]}"#),
            ("query", r#"{"query":"{a}","query":"{b}"}"#),
            ("query", r#"{"query":"{a}\ud83d"}"#),
            ("operationName", r#"{"query":"{a}","operationName":1}"#),
            ("operationName", r#"{"query":"{a}","operationName":"\ude00"}"#),
            ("variables", r#"{"query":"{a}","variables":[]}"#),
            ("variables", r#"{"query":"{a}","variables":"{}"}"#),
            ("variables", r#"{"query":"{a}","variables":{},"variables":{}}"#),
            ("extensions", r#"{"query":"{a}","extensions":1}"#),
            ("after", r#"{"query":"{a}","extensions":{"after":1}}"#),
        ] {
            match refused(json) {
                InvalidBody::Member { member: found, .. } => assert_eq!(found, member, "{json}"),
                other => panic!("{json}: {other:?}"),
            }
        }
        for json in ["null", "\"{a}\"", "1"] {
            assert_eq!(refused(json), InvalidBody::NoObject, "{json}");
        }
    }

    #[test]
    fn what_is_no_json_and_what_is_a_batch_is_told_apart() {
        assert_eq!(refused("{\n\"query\""), InvalidBody::NotJson { line: 2, column: 7 });
        assert!(matches!(refused(""), InvalidBody::NotJson { .. }));
        assert!(matches!(refused("{\"query\":\"{a}\"} x"), InvalidBody::NotJson { .. }));
        assert!(matches!(RequestBody::parse(b"{\"query\":\"\xff\"}"), Err(InvalidBody::NotJson { line: 1, .. })));
        assert_eq!(refused(" [{\"query\":\"{a}\"}]"), InvalidBody::Batch);
    }

    #[test]
    fn a_document_that_is_only_named_by_its_hash_is_asked_for() {
        for query in ["", r#""query":"","#, r#""query":null,"#] {
            let json = format!(r#"{{{query}"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"ab"}}}}}}"#);
            let refused = refused(&json);
            assert_eq!((&refused, &*refused.to_string()), (&InvalidBody::PersistedQuery, "PersistedQueryNotSupported"));
        }
    }

    #[test]
    fn a_cursor_to_resume_from_is_found() {
        let body = RequestBody::parse(br#"{"query":"{a}","extensions":{"after":"c","other":{}}}"#).expect("a body");
        assert_eq!(body.extensions.after.as_deref(), Some("c"));
        let parts =
            RequestBody::from_parts(Some("{a}".into()), Some(String::new()), Some(""), Some(r#"{"after":"c"}"#));
        assert_eq!(parts.expect("a body").extensions, body.extensions);
    }
}
