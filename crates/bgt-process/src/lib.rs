//! bgt-process
