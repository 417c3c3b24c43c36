//! The harness's library, from outside, and the program that it makes.

mod attribution;
mod export;
mod limits;
mod page;
mod planted;
mod program;
mod proof;
mod readme;
mod report;
mod scene;
mod serve;
mod sweep;
mod targets;
mod workload_errors;
