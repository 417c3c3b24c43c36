//! A peer that minds no protocol.

use std::time::Duration;

use logdyno_broker::Broker;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer that has not come by then never will. Far more than any answer takes, so that a busy machine fails no test.
const HANG: Duration = Duration::from_secs(60);
/// What may wait is given this long before the peer goes; it only saves time.
const GRACE: Duration = Duration::from_millis(50);

/// What a broker made of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// It answered.
    Answered,
    /// It closed the connection.
    Closed,
    /// It was still waiting, as it may, when the peer went; then it closed the connection.
    Waited,
}

/// A frame of this body.
pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("small");
    [&length.to_be_bytes(), body].concat()
}

/// A connection, or a half of one.
pub(super) struct Peer<S = TcpStream>(S);

impl Peer {
    pub(super) async fn connect(broker: &Broker) -> Peer {
        let stream = TcpStream::connect(broker.address()).await.expect("connected");
        // Thousands come and go: none is to hold its port after its end.
        stream.set_zero_linger().expect("a socket");
        Peer(stream)
    }

    /// What can listen, and what can send.
    pub(super) fn split(&mut self) -> (Peer<impl AsyncRead + Unpin>, Peer<impl AsyncWrite + Unpin>) {
        let (read, write) = self.0.split();
        (Peer(read), Peer(write))
    }

    /// What comes of a request that has been sent.
    pub(super) async fn outcome(mut self, may_wait: bool) -> Outcome {
        if may_wait && timeout(GRACE, self.0.readable()).await.is_err() {
            self.end().await;
            while self.answer().await.is_some() {}
            return Outcome::Waited;
        }
        if self.answer().await.is_some() { Outcome::Answered } else { Outcome::Closed }
    }
}

impl<S: AsyncWrite + Unpin> Peer<S> {
    /// Sends bytes; the broker may close before it has read them all.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        drop(timeout(HANG, self.0.write_all(bytes)).await.expect("the broker reads or closes"));
    }

    /// Says that nothing more will come.
    pub(super) async fn end(&mut self) {
        drop(self.0.shutdown().await);
    }
}

impl<S: AsyncRead + Unpin> Peer<S> {
    /// The body of the next answer; `None` if the broker has closed. A reset is an end too.
    pub(super) async fn answer(&mut self) -> Option<Vec<u8>> {
        timeout(HANG, self.read()).await.expect("the broker neither answers nor closes")
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let length = self.0.read_u32().await.ok()?;
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).await.ok()?;
        Some(body)
    }

    /// Reads this many bytes, whatever they are.
    pub(super) async fn take(&mut self, bytes: usize) {
        self.0.read_exact(&mut vec![0; bytes]).await.expect("as many bytes");
    }
}
