//! From a token to the one who is asking.

use axum::http::{HeaderMap, header};

use super::{Edge, Problem};
use crate::chat::{self, Viewer};

/// Who is asking; none when the request carries no `Authorization`.
///
/// # Errors
/// 401 when what it carries is not a token of the form `Bearer …`, or one that isn't valid (any more): a request that
/// means to be somebody's is not answered as nobody's. 503 when the database can't be asked.
pub async fn viewer(edge: &Edge, headers: &HeaderMap) -> Result<Option<Viewer>, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let viewer = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => match value.to_str().ok().and_then(bearer) {
            Some(token) => edge.chat.authenticate(token).await,
            None => Err(chat::Error::Unauthenticated),
        },
        (Some(_), Some(_)) => Err(chat::Error::Unauthenticated),
    };
    if let Err(chat::Error::Unauthenticated) = viewer {
        edge.metrics.refusals.with_label_values(&["unauthenticated"]).inc();
    }
    Ok(Some(viewer?))
}

/// The token in `Bearer <token>`; the scheme is matched without regard to case
/// ([RFC 9110, section 11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)).
#[must_use]
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(char::is_whitespace))
        .then_some(token)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_one_token_of_the_bearer_scheme_is_taken() {
        for authorization in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(authorization), Some("abc"), "{authorization}");
        }
        for authorization in ["", "abc", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearerabc"] {
            assert_eq!(bearer(authorization), None, "{authorization}");
        }
    }
}
