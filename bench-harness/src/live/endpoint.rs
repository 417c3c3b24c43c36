//! Where a run can be scraped: a loopback address, one request after the other.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use super::{Now, openmetrics};
use crate::campaign::Watch;
use crate::result::Outcome;
use crate::scrape;
use crate::trial::Progress;

/// How long the end may take to reach the thread.
const PATIENCE: Duration = Duration::from_secs(2);

/// An address of this machine alone: figures of a run are nobody else's business.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "it takes a loopback address and a port, such as 127.0.0.1:9464".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!("{} can be reached from other machines: say 127.0.0.1:{} or [::1]:{1}", address.ip(), address.port()))
}

type Shared = Arc<Mutex<Option<Now>>>;

/// Answers scrapes until it is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    now: Shared,
    shall_end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens on `address`, and says so on stderr.
    pub fn open(address: SocketAddr) -> anyhow::Result<Endpoint> {
        let listener = TcpListener::bind(address).with_context(|| format!("--metrics {address}"))?;
        let address = listener.local_addr()?;
        let (now, shall_end) = (Shared::default(), Arc::new(AtomicBool::new(false)));
        let (told, is_over) = (Arc::clone(&now), Arc::clone(&shall_end));
        // By its name its processor time is the harness's.
        let thread = std::thread::Builder::new().name("logdyno-metrics".to_owned()).spawn(move || {
            for connection in listener.incoming() {
                if is_over.load(Ordering::Acquire) {
                    return;
                }
                // One who leaves before the answer is no concern of the run.
                let page = || told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let render = || Some(openmetrics::render(page().as_ref()));
                drop(connection.and_then(|connection| scrape::answer(connection, openmetrics::CONTENT_TYPE, render)));
            }
        })?;
        eprintln!("metrics on http://{address}/metrics");
        Ok(Endpoint { address, now, shall_end, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells it how the run goes on.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher { now: Arc::clone(&self.now) }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shall_end.store(true, Ordering::Release);
        // Wakes the thread; if nobody can connect any more, it is left to the end of the process.
        let is_awake = TcpStream::connect_timeout(&self.address, PATIENCE).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| is_awake) {
            drop(thread.join());
        }
    }
}

/// Keeps what a scrape is answered with.
#[derive(Debug)]
pub struct Publisher {
    now: Shared,
}

impl Watch for Publisher {
    fn begins(&mut self, name: &str, number: usize, count: usize) {
        let now = Now { name: name.to_owned(), number, count, progress: Progress::default() };
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(now) = &mut *self.now.lock().unwrap_or_else(PoisonError::into_inner) {
            now.progress = progress.clone();
        }
    }

    /// The last figures stay until the next trial begins.
    fn ended(&mut self, _: &str, _: &Outcome) {}
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_addresses_of_this_machine_alone_are_taken() {
        assert_eq!(loopback("127.0.0.1:9464").unwrap().port(), 9464);
        assert!(loopback("[::1]:0").is_ok());
        for outside in ["0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464"] {
            assert!(loopback(outside).unwrap_err().contains("say 127.0.0.1:9464"), "{outside}");
        }
        assert!(loopback("9464").unwrap_err().contains("such as"));
    }

    #[test]
    fn a_scrape_gets_what_was_told_last() {
        let endpoint = Endpoint::open(loopback("127.0.0.1:0").unwrap()).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";
        let nothing = ask(endpoint.address(), request);
        assert!(nothing.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0;"));
        assert!(!nothing.contains("logdyno_sent_records"), "{nothing}");
        let mut publisher = endpoint.publisher();
        publisher.begins("flights on mmap", 1, 2);
        publisher.progress(&Progress { sent: 7, ..Progress::default() });
        let some = ask(endpoint.address(), request);
        assert!(some.contains("logdyno_sent_records_total{run=\"flights on mmap\",trial=\"1\"} 7\n"), "{some}");
        let (head, body) = some.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())) && body.ends_with("# EOF\n"), "{some}");
    }

    #[test]
    fn what_is_no_scrape_is_refused_and_ends_nothing() {
        let endpoint = Endpoint::open(loopback("127.0.0.1:0").unwrap()).unwrap();
        drop(TcpStream::connect(endpoint.address()).unwrap());
        let answer = |request: &str| ask(endpoint.address(), request).lines().next().unwrap_or_default().to_owned();
        assert_eq!(answer("GET /else HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
        assert_eq!(answer("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(answer("HEAD /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(answer("\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    }
}
