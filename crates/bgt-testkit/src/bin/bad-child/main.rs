//! bad child
fn main() {}
