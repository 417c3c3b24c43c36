//! Frames: a length of four bytes, then that many bytes.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;
/// Small frames are read together, this many bytes at a time.
const READ_AHEAD_BYTES: usize = 64 << 10;
/// The kernel takes at most 1024 pieces at once; few answers have more than these.
const PIECES_AT_ONCE: usize = 64;

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A length that no frame has.
    #[error("it announced a frame of {length} bytes, which no Kafka request or response has")]
    Length {
        /// As announced.
        length: i32,
    },
    /// A frame above the limit.
    #[error("it announced a frame of {length} bytes, the limit is {limit} (socket.request.max.bytes)")]
    TooLarge {
        /// As announced.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The peer went away in the middle of a frame.
    #[error("it closed the connection in the middle of a frame, after {received} of {length} bytes")]
    Cut {
        /// Bytes of the frame that came.
        received: usize,
        /// Bytes that were announced; 0 while the length itself is not complete.
        length: usize,
    },
    /// Nothing came for too long.
    #[error("it was silent for {}", if *.mid_frame { "too long in the middle of a frame" } else { "longer than connections.max.idle.ms" })]
    Silent {
        /// Whether a part of a frame had come.
        mid_frame: bool,
    },
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// What is borne from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// The largest frame, without its length.
    pub bytes_max: usize,
    /// How long a peer may be silent between frames.
    pub idle: Option<Duration>,
    /// How long a peer may be silent within a frame.
    pub stall: Option<Duration>,
}

impl Default for FrameLimits {
    /// Kafka's `socket.request.max.bytes`, and no limit on silence.
    fn default() -> FrameLimits {
        FrameLimits { bytes_max: 100 << 20, idle: None, stall: None }
    }
}

/// Reads frames. Each is a slice of the buffer that the socket was read into.
pub struct FrameReader<R> {
    stream: R,
    limits: FrameLimits,
    buffer: BytesMut,
    bytes_moved: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `stream`.
    pub fn new(stream: R, limits: FrameLimits) -> FrameReader<R> {
        FrameReader { stream, limits, buffer: BytesMut::new(), bytes_moved: 0 }
    }

    /// The next frame without its length; `None` if the peer has closed the connection between frames.
    ///
    /// Not safe to cancel and call again where [`FrameLimits`] matter: what was read is kept, but the time starts anew.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        match self.length().await? {
            Some(length) => self.body(length).await.map(Some),
            None => Ok(None),
        }
    }

    /// The length of the next frame, before memory is taken for it: whoever counts that asks here, and then for the [`body`](Self::body).
    pub async fn length(&mut self) -> Result<Option<usize>, FrameError> {
        while self.buffer.len() < LENGTH_BYTES {
            self.make_room(READ_AHEAD_BYTES);
            if !self.read_some().await? {
                return match self.buffer.len() {
                    0 => Ok(None),
                    received => Err(FrameError::Cut { received, length: 0 }),
                };
            }
        }
        self.announced().map(Some)
    }

    /// The frame whose [`length`](Self::length) has just been told.
    pub async fn body(&mut self, length: usize) -> Result<Bytes, FrameError> {
        let whole = LENGTH_BYTES + length;
        if self.buffer.len() < whole {
            self.make_room_for(whole);
        }
        while self.buffer.len() < whole {
            if !self.read_some().await? {
                return Err(FrameError::Cut { received: self.buffer.len() - LENGTH_BYTES, length });
            }
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Bytes that were moved in user space because a frame's beginning was not where its rest could follow.
    /// At most the read-ahead (64 KiB) per frame that is cut by the end of the buffer.
    pub fn bytes_moved(&self) -> u64 {
        self.bytes_moved
    }

    fn announced(&self) -> Result<usize, FrameError> {
        let length = (&self.buffer[..LENGTH_BYTES]).get_i32();
        let valid = usize::try_from(length).ok().filter(|bytes| *bytes > 0);
        let bytes = valid.ok_or(FrameError::Length { length })?;
        if bytes > self.limits.bytes_max {
            return Err(FrameError::TooLarge { length: bytes, limit: self.limits.bytes_max });
        }
        Ok(bytes)
    }

    /// A buffer with free space, when the last one is used up or still lent out.
    fn make_room(&mut self, bytes: usize) {
        if self.buffer.capacity() == self.buffer.len() {
            self.replace(bytes);
        }
    }

    /// A buffer in which `whole` bytes lie in one piece from the start.
    fn make_room_for(&mut self, whole: usize) {
        if self.buffer.capacity() < whole {
            self.replace(whole.max(READ_AHEAD_BYTES));
        }
    }

    fn replace(&mut self, capacity: usize) {
        let mut fresh = BytesMut::with_capacity(capacity);
        fresh.extend_from_slice(&self.buffer);
        self.bytes_moved += self.buffer.len() as u64;
        self.buffer = fresh;
    }

    /// Reads into the free space of the buffer, which never grows by itself. False at the end of the stream.
    async fn read_some(&mut self) -> Result<bool, FrameError> {
        let mid_frame = !self.buffer.is_empty();
        let patience = if mid_frame { self.limits.stall } else { self.limits.idle };
        let space = self.buffer.capacity() - self.buffer.len();
        let mut room = (&mut self.buffer).limit(space);
        let read = self.stream.read_buf(&mut room);
        Ok(within(patience, read).await.ok_or(FrameError::Silent { mid_frame })?? > 0)
    }
}

async fn within<T>(patience: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match patience {
        Some(patience) => tokio::time::timeout(patience, work).await.ok(),
        None => Some(work.await),
    }
}

/// Writes pieces one after the other without joining them.
pub async fn write_pieces<W: AsyncWrite + Unpin>(stream: &mut W, pieces: &[Bytes]) -> io::Result<()> {
    let mut rest: Vec<Bytes> = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
    let mut first = 0;
    while first < rest.len() {
        let slices: Vec<io::IoSlice<'_>> =
            rest[first..].iter().take(PIECES_AT_ONCE).map(|piece| io::IoSlice::new(piece)).collect();
        let mut written = stream.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while first < rest.len() && written >= rest[first].len() {
            written -= rest[first].len();
            first += 1;
        }
        if written > 0 {
            rest[first].advance(written);
        }
    }
    stream.flush().await
}
