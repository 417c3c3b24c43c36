//! `--metrics`: a page for Prometheus (`GET /metrics`), by as much HTTP as that takes.
//!
//! One thread answers one request after the other; each has a few seconds and a few kilobytes.

mod page;
mod process;
mod text;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;
use logdyno_engine::broker::Broker;

/// How long a peer may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 8 << 10;

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
        let answered = stream.and_then(|stream| answer(stream, || broker.upgrade().map(|broker| page::of(&broker))));
        if let Err(error) = answered {
            tracing::debug!("a request for metrics was not answered: {error}");
        }
    }
}

fn answer(mut stream: TcpStream, page: impl FnOnce() -> Option<String>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let response = match head(&mut stream)?.as_deref().map(asked) {
        Some(Asked::Page { body }) => match page() {
            Some(page) => response("200 OK", &page, body),
            None => response("503 Service Unavailable", "The broker is stopping.\n", true),
        },
        Some(Asked::Elsewhere) => response("404 Not Found", "The metrics are at /metrics.\n", true),
        Some(Asked::Otherwise) => response("405 Method Not Allowed", "GET and HEAD are served.\n", true),
        Some(Asked::Nonsense) | None => response("400 Bad Request", "This is no HTTP request.\n", true),
    };
    stream.write_all(response.as_bytes())?;
    stream.flush()
}

/// The request up to its empty line; `None` if it is too long or no text.
fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if head.len() > HEAD_BYTES_MAX || left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8(head).ok())
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The page, or only its head.
    Page {
        body: bool,
    },
    Elsewhere,
    Otherwise,
    Nonsense,
}

/// What the request's first line asks for.
fn asked(head: &str) -> Asked {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Asked::Nonsense;
    };
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        _ if !version.starts_with("HTTP/1.") => Asked::Nonsense,
        ("GET", "/metrics") => Asked::Page { body: true },
        ("HEAD", "/metrics") => Asked::Page { body: false },
        ("GET" | "HEAD", _) => Asked::Elsewhere,
        _ => Asked::Otherwise,
    }
}

fn response(status: &str, page: &str, body: bool) -> String {
    let length = page.len();
    let body = if body { page } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_is_served() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", Asked::Page { body: true }),
            ("GET /metrics?x=1 HTTP/1.0", Asked::Page { body: true }),
            ("HEAD /metrics HTTP/1.1", Asked::Page { body: false }),
            ("GET / HTTP/1.1", Asked::Elsewhere),
            ("POST /metrics HTTP/1.1", Asked::Otherwise),
            ("GET /metrics", Asked::Nonsense),
            ("GET /metrics SMTP", Asked::Nonsense),
            ("", Asked::Nonsense),
        ] {
            assert_eq!(asked(&format!("{line}\r\nHost: x\r\n\r\n")), expected, "{line}");
        }
    }
}
