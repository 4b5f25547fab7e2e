//! Where a client goes on.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::sse::SseError;

/// The last event that a client has seen: the number of a line, or none. It is sent what comes after.
///
/// Of a request: the header `Last-Event-ID`, which browsers send when they come back; else `?after=` in the address, for
/// those who come with a number of their own. An empty one is none.
///
/// # Examples
///
/// ```
/// use axum::response::Response;
/// use axum::{Extension, Router, routing::get};
/// use bgt_streaming::Watch;
/// use bgt_streaming::sse::{LastEventId, SseError, events};
///
/// async fn log(Extension(run): Extension<Watch>, last: LastEventId) -> Result<Response, SseError> {
///     events(&run, last)
/// }
///
/// fn router(run: Watch) -> Router {
///     Router::new().route("/log", get(log)).layer(Extension(run))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastEventId(pub Option<u64>);

impl LastEventId {
    fn parse(value: &[u8]) -> Result<Self, SseError> {
        if value.is_empty() {
            return Ok(Self(None));
        }
        let digits =
            std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(seq) => Ok(Self(Some(seq))),
            None => Err(SseError::InvalidLastEventId { value: String::from_utf8_lossy(value).into_owned() }),
        }
    }

    fn of(parts: &Parts) -> Result<Self, SseError> {
        let query = parts.uri.query().unwrap_or_default();
        let after = query.split('&').find_map(|pair| pair.strip_prefix("after="));
        // The header wins: a browser repeats the address of its first request for ever.
        let header = parts.headers.get("last-event-id").filter(|header| !header.is_empty());
        Self::parse(header.map_or(after.unwrap_or_default().as_bytes(), |header| header.as_bytes()))
    }
}

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = SseError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SseError> {
        Self::of(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn of(address: &str, header: Option<&str>) -> Result<Option<u64>, String> {
        let mut request = Request::get(address);
        if let Some(header) = header {
            request = request.header("Last-Event-ID", header);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        LastEventId::of(&parts).map(|last| last.0).map_err(|error| error.to_string())
    }

    #[test]
    fn the_header_comes_before_the_address() {
        assert_eq!(of("/", None), Ok(None));
        assert_eq!(of("/?after=7", None), Ok(Some(7)));
        assert_eq!(of("/?x=1&after=7", Some("9")), Ok(Some(9)));
        assert_eq!(of("/?after=7", Some("")), Ok(Some(7)));
        assert_eq!(of("/?after=", None), Ok(None));
        assert_eq!(of("/?thereafter=7", None), Ok(None));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for wrong in ["x", "+1", "-1", "1.0", "0x10", "99999999999999999999999"] {
            assert!(of("/", Some(wrong)).unwrap_err().contains(&format!("{wrong:?}")));
            assert!(of(&format!("/?after={wrong}"), None).is_err());
        }
    }
}
