//! bgt-testkit
