//! The harness's library, from outside.

mod targets;
