//! bgt-sys
