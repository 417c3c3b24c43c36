//! What a message consists of, as data.

/// The first flexible version, and the fields.
pub(super) type Described = (i16, &'static [Field]);

/// The first flexible version of a message that has none.
pub(super) const NEVER: i16 = i16::MAX;

/// A field, in the versions in which it is present.
pub(super) struct Field {
    pub(super) from: i16,
    pub(super) to: i16,
    /// The tag of a field that stands among the tagged ones of its structure.
    pub(super) tag: Option<u32>,
    pub(super) kind: Kind,
}

impl Field {
    pub(super) fn is_in(&self, version: i16) -> bool {
        (self.from..=self.to).contains(&version)
    }
}

pub(super) enum Kind {
    /// Numbers, truth values and UUIDs of this many bytes in all.
    Fixed(usize),
    /// A string, nullable or not.
    Text,
    /// Bytes, nullable or not.
    Blob,
    /// A list of structures.
    List(&'static [Field]),
    /// A list of numbers of this many bytes.
    Numbers(usize),
    /// A list of strings.
    Texts,
    /// A structure.
    Inside(&'static [Field]),
    /// A structure, or a byte that says that there is none.
    Maybe(&'static [Field]),
}

pub(super) const fn always(kind: Kind) -> Field {
    between(0, i16::MAX, kind)
}
pub(super) const fn since(from: i16, kind: Kind) -> Field {
    between(from, i16::MAX, kind)
}
pub(super) const fn until(to: i16, kind: Kind) -> Field {
    between(0, to, kind)
}
pub(super) const fn between(from: i16, to: i16, kind: Kind) -> Field {
    Field { from, to, tag: None, kind }
}
pub(super) const fn tagged(tag: u32, from: i16, kind: Kind) -> Field {
    Field { from, to: i16::MAX, tag: Some(tag), kind }
}
