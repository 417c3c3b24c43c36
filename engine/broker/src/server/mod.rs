//! Connections: who may come in, and how requests and answers of one connection follow each other.

mod accept;
mod connection;

pub(crate) use accept::serve;
