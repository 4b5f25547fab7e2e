//! An order as a warm interpreter reads it: words with a zero between them, which no word can contain. Pure.

use std::ffi::{OsStr, OsString};

use bgt_process::Order;

/// Folder, interpreter, script, the number of arguments, the arguments, the variables.
pub(super) fn words(
    order: &Order<'_>,
    script: &OsStr,
    args: &[&OsStr],
    environment: &[(OsString, OsString)],
) -> Vec<u8> {
    let folder = order.current_dir();
    let count = OsString::from(args.len().to_string());
    let mut bytes = Vec::with_capacity(4096);
    let first = [folder.as_os_str(), order.program().as_os_str(), script, &count];
    for word in first.into_iter().chain(args.iter().copied()) {
        bytes.extend_from_slice(word.as_encoded_bytes());
        bytes.push(0);
    }
    for (name, value) in environment {
        bytes.extend_from_slice(name.as_encoded_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_encoded_bytes());
        bytes.push(0);
    }
    bytes.pop();
    bytes
}
