//! Watch a long run live: its lines from any point, its progress, its end.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod progress;
