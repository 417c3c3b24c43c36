//! Between an application's types and the bytes of keys and values. Brokers never look inside.

use bytes::Bytes;

/// Turns keys or values into bytes.
pub trait Serializer<T: ?Sized>: Send + Sync + 'static {
    /// The bytes of `data`: a borrowed part of it, or `scratch`, which comes empty and is reused.
    ///
    /// An error is a sentence; nothing of the record has been buffered then.
    fn serialize<'a>(&self, topic: &str, data: &'a T, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], String>;
}

/// Turns bytes back into keys or values.
pub trait Deserializer<T>: Send + 'static {
    /// Reads all of `data`, which is a slice of the fetched batch and can be kept without a copy.
    fn deserialize(&self, topic: &str, data: &Bytes) -> Result<T, String>;
}

/// Bytes as they are: `Bytes`, `Vec<u8>`, `&[u8]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesFormat;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for BytesFormat {
    fn serialize<'a>(&self, _: &str, data: &'a T, _: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        Ok(data.as_ref())
    }
}

impl Deserializer<Bytes> for BytesFormat {
    fn deserialize(&self, _: &str, data: &Bytes) -> Result<Bytes, String> {
        Ok(data.clone())
    }
}

impl Deserializer<Vec<u8>> for BytesFormat {
    fn deserialize(&self, _: &str, data: &Bytes) -> Result<Vec<u8>, String> {
        Ok(data.to_vec())
    }
}

/// Text as UTF-8, as Kafka's StringSerializer.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextFormat;

impl<T: AsRef<str> + ?Sized> Serializer<T> for TextFormat {
    fn serialize<'a>(&self, _: &str, data: &'a T, _: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        Ok(data.as_ref().as_bytes())
    }
}

impl Deserializer<String> for TextFormat {
    fn deserialize(&self, _: &str, data: &Bytes) -> Result<String, String> {
        match std::str::from_utf8(data) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("it is not UTF-8: {error}")),
        }
    }
}

/// Whole numbers in big-endian order, as Kafka's IntegerSerializer (`i32`) and LongSerializer (`i64`).
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberFormat;

macro_rules! number_format {
    ($($number:ty),+) => {$(
        impl Serializer<$number> for NumberFormat {
            fn serialize<'a>(&self, _: &str, data: &'a $number, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
                scratch.extend_from_slice(&data.to_be_bytes());
                Ok(scratch)
            }
        }

        impl Deserializer<$number> for NumberFormat {
            fn deserialize(&self, _: &str, data: &Bytes) -> Result<$number, String> {
                let bytes = data.as_ref().try_into().map_err(|_| {
                    format!("{} bytes cannot be a number of {} bytes", data.len(), size_of::<$number>())
                })?;
                Ok(<$number>::from_be_bytes(bytes))
            }
        }
    )+};
}

number_format!(i32, i64, u32, u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Clone + PartialEq + std::fmt::Debug, F: Serializer<T> + Deserializer<T>>(format: F, data: T) {
        let mut scratch = Vec::new();
        let bytes = Bytes::copy_from_slice(format.serialize("topic", &data, &mut scratch).unwrap());
        assert_eq!(format.deserialize("topic", &bytes).unwrap(), data);
    }

    /// Row 38.
    #[test]
    fn serialize_then_deserialize_is_identity() {
        round_trip(BytesFormat, Bytes::from_static(b"\0\xff"));
        round_trip(BytesFormat, Vec::from(*b""));
        round_trip(TextFormat, "a\u{1F980}b".to_owned());
        round_trip(NumberFormat, u64::MAX - 1);
        round_trip(NumberFormat, -2_i32);
    }

    /// Row 38: numbers are big-endian on the wire, as Java's LongSerializer writes them.
    #[test]
    fn a_number_is_eight_bytes_in_network_order() {
        let mut scratch = Vec::new();
        assert_eq!(NumberFormat.serialize("t", &258_i64, &mut scratch).unwrap(), [0, 0, 0, 0, 0, 0, 1, 2]);
    }

    /// Row 38.
    #[test]
    fn the_wrong_deserializer_says_why() {
        let text: Result<String, String> = TextFormat.deserialize("t", &Bytes::from_static(b"\xff\xfe"));
        assert!(text.unwrap_err().contains("UTF-8"));
        let number: Result<i64, String> = NumberFormat.deserialize("t", &Bytes::from_static(b"123"));
        assert_eq!(number.unwrap_err(), "3 bytes cannot be a number of 8 bytes");
    }
}
