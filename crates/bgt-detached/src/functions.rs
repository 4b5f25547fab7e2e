//! Functions by name: what is called, with what is kept of its arguments.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bgt_core::{Context, TaskError};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

type Answer = Pin<Box<dyn Future<Output = Result<Bytes, TaskError>> + Send>>;

/// A function whose arguments and answer are JSON.
pub(crate) type Function = Arc<dyn Fn(Context, &str) -> Answer + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Functions(BTreeMap<String, Function>);

impl Functions {
    pub(crate) fn add<A, R, F, Fut>(&mut self, name: String, function: F)
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
    {
        let function: Function = Arc::new(move |cx, args| {
            let called = match serde_json::from_str::<A>(args) {
                Ok(args) => function(cx, args),
                Err(error) => {
                    let error = TaskError::new(WrongArguments(error)).fatal();
                    return Box::pin(std::future::ready(Err(error)));
                }
            };
            Box::pin(async move {
                let answer = called.await?;
                let answer = serde_json::to_vec(&answer);
                answer.map(Bytes::from).map_err(|error| TaskError::new(WrongAnswer(error)).fatal())
            })
        });
        self.0.insert(name, function);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Function> {
        self.0.get(name)
    }

    /// Their names, for people.
    pub(crate) fn known(&self) -> String {
        names(self.0.keys())
    }
}

pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[derive(Debug, thiserror::Error)]
#[error("the function takes other arguments than those that were kept")]
struct WrongArguments(#[source] serde_json::Error);

#[derive(Debug, thiserror::Error)]
#[error("what the function answered cannot be expressed in JSON")]
struct WrongAnswer(#[source] serde_json::Error);
