//! An operation in a URL, as GET carries it.

use percent_encoding::percent_decode_str;

/// What the parameters of a URL say about an operation. Parameters of other names are ignored; one that is empty counts
/// as absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The document.
    pub query: Option<String>,
    /// The name of the operation that is meant.
    pub operation_name: Option<String>,
    /// Values of its variables, as JSON.
    pub variables: Option<String>,
    /// Additions to the protocol, as JSON.
    pub extensions: Option<String>,
}

/// The parameters can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidParameters {
    /// One comes more than once, so that proxies and servers may take different ones.
    #[error("the parameter `{0}` must not come twice")]
    Twice(&'static str),
    /// A value isn't UTF-8.
    #[error("the parameter `{0}` is not UTF-8")]
    NotUtf8(&'static str),
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`
    /// ([URL standard, section 5.1](https://url.spec.whatwg.org/#application/x-www-form-urlencoded)).
    ///
    /// # Errors
    /// When a parameter comes twice or isn't UTF-8.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidParameters> {
        let mut read = Self::default();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Ok(name) = decode(name) else { continue };
            let (name, place) = match &*name {
                "query" => ("query", &mut read.query),
                "operationName" => ("operationName", &mut read.operation_name),
                "variables" => ("variables", &mut read.variables),
                "extensions" => ("extensions", &mut read.extensions),
                _ => continue,
            };
            if place.is_some() {
                return Err(InvalidParameters::Twice(name));
            }
            *place = Some(decode(value).map_err(|_| InvalidParameters::NotUtf8(name))?);
        }
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let Self { query, operation_name, variables, extensions } = read;
        Ok(Self {
            query: given(query),
            operation_name: given(operation_name),
            variables: given(variables),
            extensions: given(extensions),
        })
    }

    /// Whether they hold an operation: its document, or what stands for one.
    pub(crate) fn have_operation(&self) -> bool {
        self.query.is_some() || self.extensions.is_some()
    }
}

fn decode(text: &str) -> Result<String, std::str::Utf8Error> {
    Ok(percent_decode_str(&text.replace('+', " ")).decode_utf8()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Option<String>, InvalidParameters> {
        Parameters::parse(text).map(|parameters| parameters.query)
    }

    #[test]
    fn an_operation_is_read_from_its_parameters() {
        let text = "query=query+A(%24a:Int)%7Ba%7D&variables=%7B%22a%22%3A1%7D&operationName=A&extensions=%7B%7D";
        let read = Parameters::parse(text).expect("is well formed");
        assert_eq!(read.query.as_deref(), Some("query A($a:Int){a}"));
        assert_eq!(read.operation_name.as_deref(), Some("A"));
        assert_eq!(read.variables.as_deref(), Some("{\"a\":1}"));
        assert_eq!(read.extensions.as_deref(), Some("{}"));
    }

    #[test]
    fn a_plus_is_a_space_and_an_escaped_one_is_a_plus() {
        assert_eq!(query("query=a+b%2Bc%20d"), Ok(Some("a b+c d".to_owned())));
        assert_eq!(query("%71uery=%c3%A4"), Ok(Some("ä".to_owned())));
        assert_eq!(query("query=100%&x=%zz"), Ok(Some("100%".to_owned())), "as the standard has it");
    }

    #[test]
    fn what_comes_twice_is_refused_and_what_is_unknown_is_ignored() {
        for text in ["query=a&query=b", "query=a&%71uery=a", "query=&query="] {
            assert_eq!(query(text), Err(InvalidParameters::Twice("query")), "{text}");
        }
        assert_eq!(query("query=a&fbclid=1&fbclid=2&%ff=1"), Ok(Some("a".to_owned())));
        assert_eq!(query("query=%ff"), Err(InvalidParameters::NotUtf8("query")));
    }

    #[test]
    fn what_is_empty_is_absent() {
        for text in ["", "query=", "query", "&&", "operationName=&variables=&extensions="] {
            assert_eq!(Parameters::parse(text), Ok(Parameters::default()), "{text}");
        }
        assert!(!Parameters::default().have_operation());
    }
}
