//! A message under construction: bytes that are written here, between bytes that are only lent.

use bytes::{BufMut, Bytes, BytesMut};

/// Pieces in order.
#[derive(Default)]
pub(crate) struct Pieces {
    done: Vec<Bytes>,
    tail: BytesMut,
}

impl Pieces {
    /// The buffer to write to.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Lets `bytes` follow, uncopied.
    pub(crate) fn splice(&mut self, bytes: &Bytes) {
        if !bytes.is_empty() {
            self.done.push(self.tail.split().freeze());
            self.done.push(bytes.clone());
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.done.push(self.tail.freeze());
        self.done.retain(|piece| !piece.is_empty());
        self.done
    }
}

/// Kafka's UNSIGNED_VARINT: seven bits a byte, the lowest first.
pub(crate) fn put_unsigned_varint(buffer: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buffer.put_u8(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value.to_le_bytes()[0]);
}
