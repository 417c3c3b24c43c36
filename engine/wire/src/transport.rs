//! The only way to a socket, for clients and brokers alike. TCP now.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, tcp};

/// Where connections come in.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on `HOST:PORT`; port 0 lets the kernel choose one.
    pub async fn bind(address: &str) -> io::Result<Listener> {
        TcpListener::bind(address).await.map(Listener)
    }

    /// The address, with the port that was chosen.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection and who it is from. Safe to cancel.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Stream::new(stream)?, peer))
    }
}

/// Connects to `HOST:PORT`, trying all addresses of the host, for at most `timeout`.
pub async fn connect(address: &str, timeout: Duration) -> io::Result<Stream> {
    let connecting = tokio::time::timeout(timeout, TcpStream::connect(address));
    Stream::new(connecting.await.map_err(|_| io::ErrorKind::TimedOut)??)
}

/// A connection.
#[derive(Debug)]
pub struct Stream(TcpStream);

/// The half of a connection that is read from.
#[derive(Debug)]
pub struct ReadHalf(tcp::OwnedReadHalf);

/// The half of a connection that is written to; dropping it says the end to the peer.
#[derive(Debug)]
pub struct WriteHalf(tcp::OwnedWriteHalf);

impl Stream {
    /// Requests and answers are whole when they are written: nothing is gained by waiting for more (Nagle).
    fn new(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    /// Both directions, to be used by different tasks.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = self.0.into_split();
        (ReadHalf(read), WriteHalf(write))
    }
}

macro_rules! delegate_read {
    ($($half:ty),+) => { $(
        impl AsyncRead for $half {
            fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(cx, buffer)
            }
        }
    )+ };
}

macro_rules! delegate_write {
    ($($half:ty),+) => { $(
        impl AsyncWrite for $half {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(cx, bytes)
            }
            fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
            }
            fn is_write_vectored(&self) -> bool {
                self.0.is_write_vectored()
            }
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(cx)
            }
            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    )+ };
}

delegate_read!(Stream, ReadHalf);
delegate_write!(Stream, WriteHalf);
