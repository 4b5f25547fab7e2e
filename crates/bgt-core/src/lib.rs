//! bgt-core
