//! The walk over a message: every length is believed only as far as there are bytes.

use bytes::Buf;

use super::Misshapen;
use super::fields::{Field, Kind};

pub(super) struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    elements_left: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], version: i16, flexible: bool, elements_max: u32) -> Walk<'a> {
        Walk { rest: bytes, version, flexible, elements_left: elements_max }
    }

    /// What has not been walked yet.
    #[cfg(test)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn structure(&mut self, fields: &[Field]) -> Result<(), Misshapen> {
        for field in fields {
            if field.tag.is_none() && field.is_in(self.version) {
                self.field(&field.kind)?;
            }
        }
        if self.flexible { self.tagged_fields(fields) } else { Ok(()) }
    }

    pub(super) fn field(&mut self, kind: &Kind) -> Result<(), Misshapen> {
        match kind {
            Kind::Fixed(bytes) => self.skip(*bytes),
            Kind::Text => {
                let bytes = self.length(2)?;
                // Flexible versions could say more; Kafka's readers refuse it.
                if bytes > i16::MAX as usize { Err(Misshapen::Length) } else { self.skip(bytes) }
            }
            Kind::Blob => {
                let bytes = self.length(4)?;
                self.skip(bytes)
            }
            Kind::Numbers(bytes) => {
                let count = self.length(4)?;
                self.skip(count.checked_mul(*bytes).ok_or(Misshapen::Length)?)
            }
            Kind::Texts => self.elements(|walk| walk.field(&Kind::Text)),
            Kind::List(fields) => self.elements(|walk| walk.structure(fields)),
            Kind::Inside(fields) => self.structure(fields),
            Kind::Maybe(fields) => match self.byte()? {
                1 => self.structure(fields),
                _ => Ok(()),
            },
        }
    }

    /// What ends a flexible structure. The decoder passes over a field whose tag it does not know by the length that stands before the
    /// field, but reads one that it knows by its kind: so the two must agree, or walk and decoder would part here.
    pub(super) fn tagged_fields(&mut self, fields: &[Field]) -> Result<(), Misshapen> {
        for _ in 0..self.varint()? {
            self.count_element()?;
            let tag = self.varint()?;
            let bytes = self.varint()? as usize;
            let behind = self.rest.get(bytes..).ok_or(Misshapen::Cut)?;
            if let Some(field) = fields.iter().find(|field| field.tag == Some(tag) && field.is_in(self.version)) {
                self.field(&field.kind)?;
                if self.rest.len() != behind.len() {
                    return Err(Misshapen::Length);
                }
            }
            self.rest = behind;
        }
        Ok(())
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Misshapen>) -> Result<(), Misshapen> {
        for _ in 0..self.length(4)? {
            self.count_element()?;
            element(self)?;
        }
        Ok(())
    }

    fn count_element(&mut self) -> Result<(), Misshapen> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or(Misshapen::TooMany)?;
        Ok(())
    }

    /// A length; null counts as 0.
    fn length(&mut self, classic_bytes: usize) -> Result<usize, Misshapen> {
        if self.flexible {
            return Ok(self.varint()?.saturating_sub(1) as usize);
        }
        let length = match classic_bytes {
            2 => self.rest.try_get_i16().map(i32::from),
            _ => self.rest.try_get_i32(),
        };
        match length.map_err(|_| Misshapen::Cut)? {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| Misshapen::Length),
        }
    }

    fn varint(&mut self) -> Result<u32, Misshapen> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| Misshapen::Length);
            }
        }
        Err(Misshapen::Length)
    }

    fn byte(&mut self) -> Result<u8, Misshapen> {
        self.rest.try_get_u8().map_err(|_| Misshapen::Cut)
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Result<(), Misshapen> {
        self.rest = self.rest.get(bytes..).ok_or(Misshapen::Cut)?;
        Ok(())
    }
}
