//! Connections: who may come in, and how requests and answers of one connection follow each other.

mod accept;
mod connection;
mod lending;
mod load;

pub(crate) use accept::serve;
pub(crate) use lending::{Lending, Lent};
pub(crate) use load::Load;
