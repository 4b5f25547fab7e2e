//! A run's output, line by line, for any number of readers: numbered, bounded, and resumed from anywhere.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ansi;
mod cut;
#[cfg(feature = "files")]
mod files;
mod follow;
mod level;
mod line;
mod lines;
mod log;
mod ring;

pub use bgt_core::{Chunk, Sink, SinkClosed, Source};
pub use bytes::Bytes;
#[cfg(feature = "files")]
#[cfg_attr(docsrs, doc(cfg(feature = "files")))]
pub use files::{FileError, LogFiles, LogReader, Retention, Swept};
pub use follow::{Entry, Follower, From, Gap};
pub use level::Level;
pub use line::{Line, LineEnd};
pub use log::{Extent, Log};
pub use ring::Keep;
