//! As much HTTP as a scrape takes: one request a connection, each with a few seconds and a few kilobytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a peer may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// Reads a request and answers `GET /metrics` with the page, which is of this content type; without a page it says that all is about to end.
pub(crate) fn answer(
    mut stream: TcpStream,
    content_type: &str,
    page: impl FnOnce() -> Option<String>,
) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let response = match head(&mut stream)?.as_deref().map(asked) {
        Some(Asked::Page { body }) => match page() {
            Some(page) => response("200 OK", content_type, &page, body),
            None => response("503 Service Unavailable", PLAIN, "It is stopping.\n", true),
        },
        Some(Asked::Elsewhere) => response("404 Not Found", PLAIN, "The metrics are at /metrics.\n", true),
        Some(Asked::Otherwise) => response("405 Method Not Allowed", PLAIN, "GET and HEAD are served.\n", true),
        Some(Asked::Nonsense) | None => response("400 Bad Request", PLAIN, "This is no HTTP request.\n", true),
    };
    stream.write_all(response.as_bytes())?;
    stream.flush()
}

/// Of an answer that is no page.
const PLAIN: &str = "text/plain; charset=utf-8";

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

fn response(status: &str, content_type: &str, page: &str, body: bool) -> String {
    let length = page.len();
    let body = if body { page } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
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
