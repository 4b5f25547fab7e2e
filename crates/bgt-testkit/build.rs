//! Tells the crate which target it is built for: the standard library only knows its parts, and Cargo names a folder by it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BGT_TESTKIT_TARGET={}", std::env::var("TARGET").expect("Cargo sets TARGET"));
}
