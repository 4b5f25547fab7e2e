//! What a worker is asked, and what it answers.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a worker is asked: a list of arguments, each a string or any other JSON. Strings, arrays and vectors convert.
///
/// # Examples
///
/// ```
/// use bgt_pool::Request;
///
/// let one = Request::from("some text");
/// let several = Request::new().arg("resize").arg(640).arg(["a.png", "b.png"]);
/// assert_eq!(several.to_string(), r#"["resize",640,["a.png","b.png"]]"#);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Request {
    /// As JSON, with commas between them.
    pub(crate) arguments: Vec<u8>,
    /// What could not be JSON.
    pub(crate) wrong: Option<String>,
}

impl Request {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument: anything that can be JSON. What cannot is refused when it is to be sent.
    pub fn arg(mut self, value: impl Serialize) -> Self {
        let before = self.arguments.len();
        if before > 0 {
            self.arguments.push(b',');
        }
        if let Err(error) = serde_json::to_writer(&mut self.arguments, &value) {
            self.arguments.truncate(before);
            self.wrong.get_or_insert(error.to_string());
        }
        self
    }

    /// Adds arguments.
    pub fn args(self, values: impl IntoIterator<Item = impl Serialize>) -> Self {
        values.into_iter().fold(self, Request::arg)
    }
}

/// The arguments as they are sent.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", String::from_utf8_lossy(&self.arguments))
    }
}

impl From<&str> for Request {
    fn from(argument: &str) -> Self {
        Self::new().arg(argument)
    }
}

impl From<String> for Request {
    fn from(argument: String) -> Self {
        Self::new().arg(argument)
    }
}

impl<T: Serialize, const N: usize> From<[T; N]> for Request {
    fn from(arguments: [T; N]) -> Self {
        Self::new().args(arguments)
    }
}

impl<T: Serialize> From<Vec<T>> for Request {
    fn from(arguments: Vec<T>) -> Self {
        Self::new().args(arguments)
    }
}

/// What a worker answered: any JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(pub(crate) Bytes);

impl Answer {
    /// The answer as the text it is; the JSON itself when it is no string.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match serde_json::from_slice::<String>(&self.0) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(self.as_json()),
        }
    }

    /// The answer as a value.
    ///
    /// # Errors
    ///
    /// When it is not what `T` wants.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn score(pool: &bgt_pool::WorkerPool) -> Result<f64, Box<dyn std::error::Error>> {
    /// let score: f64 = pool.call("some text").await?.json()?;
    /// # Ok(score) }
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }

    /// The answer as it came, JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        // The parser has found it so.
        std::str::from_utf8(&self.0).unwrap_or("null")
    }
}

/// At most the first 200 bytes.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_json();
        match text.char_indices().nth(200) {
            Some((end, _)) => write!(f, "Answer({}… {} bytes)", &text[..end], text.len()),
            None => write!(f, "Answer({text})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_cannot_be_json_is_remembered_and_leaves_no_trace() {
        let keys = BTreeMap::from([((1, 2), 3)]);
        let request = Request::new().arg("a").arg(&keys).arg("b");
        assert_eq!(request.to_string(), r#"["a","b"]"#);
        assert!(request.wrong.unwrap().contains("key must be a string"));
    }

    #[test]
    fn an_answer_is_text_or_json() {
        let answer = |json: &'static str| Answer(json.into());
        assert_eq!(answer(r#""a\nb""#).text(), "a\nb");
        assert_eq!(answer("[1, 2]").text(), "[1, 2]");
        assert_eq!(answer("[1, 2]").json::<Vec<u32>>().unwrap(), [1, 2]);
        assert!(answer("[1, 2]").json::<String>().is_err());
        let long = format!("{:?}", Answer(format!("\"{}\"", "ä".repeat(1000)).into()));
        assert!(long.len() < 450 && long.ends_with("… 2002 bytes)"), "{long}");
    }
}
