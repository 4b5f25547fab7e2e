//! bgt-orchestrator
