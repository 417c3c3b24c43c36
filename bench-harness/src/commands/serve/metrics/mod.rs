//! `--metrics`: a page for Prometheus (`GET /metrics`). One thread answers one request after the other.

mod page;
mod process;
mod text;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Weak};

use anyhow::Context;
use logdyno_engine::broker::Broker;

use crate::scrape;

/// Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Binds, and answers on a thread of its own as long as the broker lives. Gives the address.
pub(super) fn serve(listen: SocketAddr, broker: &Arc<Broker>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).with_context(|| format!("--metrics cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let broker = Arc::downgrade(broker);
    std::thread::Builder::new().name("metrics".into()).spawn(move || answer_all(&listener, &broker))?;
    Ok(address)
}

fn answer_all(listener: &TcpListener, broker: &Weak<Broker>) {
    for stream in listener.incoming() {
        let answered = stream.and_then(|stream| {
            scrape::answer(stream, CONTENT_TYPE, || broker.upgrade().map(|broker| page::of(&broker)))
        });
        if let Err(error) = answered {
            tracing::debug!("a request for metrics was not answered: {error}");
        }
    }
}
