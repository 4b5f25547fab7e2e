//! bgt-simple
