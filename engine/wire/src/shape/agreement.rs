//! The tables and the decoder agree: bodies made up from the tables, whole and damaged, for each API and version that the decoder knows.
//!
//! What is asserted of every body: if the walk lets it pass, the decoder reserves no more memory than a small multiple of its bytes; and if
//! the decoder reads it too, both end at the same byte.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::fields::{Described, Field, Kind};
use super::walk::Walk;
use super::{ANSWER_ELEMENTS_MAX, Misshapen, REQUEST_ELEMENTS_MAX, answers, check, requests};
use crate::api;
use reserved::reserved_by;

/// A structure in memory per byte on the wire: the largest that one byte can become is about half of this.
const RESERVED_PER_BYTE: usize = 1024;
/// What an error of the decoder takes, with its backtrace where those are asked for.
const RESERVED_AT_LEAST: usize = 64 << 10;
const BODIES_PER_VERSION: u32 = 40;

struct Side {
    name: &'static str,
    described: fn(ApiKey) -> Option<Described>,
    decode: fn(ApiKey, &mut Bytes, i16) -> Result<(), String>,
}

const SIDES: [Side; 2] = [
    Side {
        name: "request",
        described: requests::described,
        decode: |api, body, version| {
            RequestKind::decode(api, body, version).map(drop).map_err(|error| format!("{error:#}"))
        },
    },
    Side {
        name: "answer",
        described: answers::described,
        decode: |api, body, version| {
            ResponseKind::decode(api, body, version).map(drop).map_err(|error| format!("{error:#}"))
        },
    },
];

#[test]
fn what_is_made_from_the_tables_is_read_to_its_last_byte() {
    for_each_version(|side, api, version, random| {
        let body = body(side, api, version, random);
        let mut rest = body.clone();
        let read = (side.decode)(api, &mut rest, version);
        assert!(
            read.is_ok() && rest.is_empty(),
            "{} {api:?} v{version}: {read:?}, {} left of {body:x?}",
            side.name,
            rest.len()
        );
        assert_eq!(walked(side, api, version, &body), Ok(0), "{} {api:?} v{version}", side.name);
    });
}

#[test]
fn what_ends_too_early_is_refused() {
    for_each_version(|side, api, version, random| {
        let body = body(side, api, version, random);
        for cut in 0..body.len() {
            let found = walked(side, api, version, &body[..cut]);
            assert!(found.is_err(), "{} {api:?} v{version} cut at {cut} of {}", side.name, body.len());
        }
    });
}

#[test]
fn damaged_bodies_reserve_no_more_than_they_hold() {
    for_each_version(|side, api, version, random| {
        let mut body = body(side, api, version, random).to_vec();
        for _ in 0..8 {
            damage(&mut body, random);
            let walked = walked(side, api, version, &body);
            let Ok(left) = walked else { continue };
            let mut rest = Bytes::from(body.clone());
            let (read, reserved) = reserved_by(|| (side.decode)(api, &mut rest, version));
            let what = format!("{} {api:?} v{version}: {body:x?}", side.name);
            assert!(
                reserved <= RESERVED_AT_LEAST + RESERVED_PER_BYTE * body.len(),
                "{reserved} bytes reserved for {what}"
            );
            assert!(
                read.is_err() || rest.len() == left,
                "walk and decoder ended {left} and {} before the end of {what}",
                rest.len()
            );
        }
    });
}

#[test]
fn every_api_that_is_served_is_described() {
    for api in api::BROKER {
        assert!(requests::described(api.key).is_some(), "{:?}: name it in scripts/wire/shapes and run that", api.key);
    }
}

/// A request of many empty strings, each of which would become a structure.
#[test]
fn more_elements_than_one_request_may_have_are_refused() {
    let request = |count: u32| {
        let mut body = BytesMut::new();
        body.put_u32(count);
        body.put_bytes(0, 2 * count as usize);
        body
    };
    assert_eq!(check(ApiKey::Metadata, 1, &request(REQUEST_ELEMENTS_MAX)), Ok(()));
    assert_eq!(check(ApiKey::Metadata, 1, &request(REQUEST_ELEMENTS_MAX + 1)), Err(Misshapen::TooMany));
}

/// Calls `check` for bodies of each version that both the tables and the decoder know.
fn for_each_version(check: impl Fn(&Side, ApiKey, i16, &mut TestRng)) {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Default::default()));
    for side in &SIDES {
        let apis: Vec<ApiKey> = ApiKey::iter().filter(|api| (side.described)(*api).is_some()).collect();
        assert!(apis.len() >= api::BROKER.len());
        for api in apis {
            for version in versions(side, api) {
                for _ in 0..BODIES_PER_VERSION {
                    check(side, api, version, runner.rng());
                }
            }
        }
    }
}

/// The crate lists some versions that its decoder refuses (OffsetCommit 10).
fn versions(side: &Side, api: ApiKey) -> impl Iterator<Item = i16> {
    let listed = api.valid_versions();
    let refused = "specified version not supported by this message type";
    (listed.min..=listed.max).filter(move |version| {
        !(side.decode)(api, &mut Bytes::new(), *version).is_err_and(|error| error.contains(refused))
    })
}

/// The bytes that the walk leaves.
fn walked(side: &Side, api: ApiKey, version: i16, body: &[u8]) -> Result<usize, Misshapen> {
    let (flexible_from, fields) = (side.described)(api).expect("described");
    let elements_max = if side.name == "request" { REQUEST_ELEMENTS_MAX } else { ANSWER_ELEMENTS_MAX };
    let mut walk = Walk::new(body, version, version >= flexible_from, elements_max);
    walk.structure(fields).map(|()| walk.rest().len())
}

/// Flips a bit, or writes a length of the kind that an attacker would.
fn damage(body: &mut [u8], random: &mut TestRng) {
    if body.is_empty() {
        return;
    }
    let at = random.random_range(0..body.len());
    match random.random_range(0..4) {
        0 => body[at] = 0xff,
        1 => body[at] = 0x7f,
        _ => body[at] ^= 1 << random.random_range(0..8),
    }
}

fn body(side: &Side, api: ApiKey, version: i16, random: &mut TestRng) -> Bytes {
    let (flexible_from, fields) = (side.described)(api).expect("described");
    let mut maker = Maker { out: BytesMut::new(), version, flexible: version >= flexible_from, random };
    maker.structure(fields);
    maker.out.freeze()
}

struct Maker<'a> {
    out: BytesMut,
    version: i16,
    flexible: bool,
    random: &'a mut TestRng,
}

impl Maker<'_> {
    fn structure(&mut self, fields: &[Field]) {
        let present = |field: &&Field| field.is_in(self.version);
        let (tagged, plain): (Vec<&Field>, Vec<&Field>) =
            fields.iter().filter(present).partition(|field| field.tag.is_some());
        plain.iter().for_each(|field| self.kind(&field.kind));
        if self.flexible {
            self.tagged(&tagged);
        }
    }

    /// All tagged fields, and one that nobody knows.
    fn tagged(&mut self, fields: &[&Field]) {
        self.varint(fields.len() + 1);
        for field in fields {
            let outside = std::mem::take(&mut self.out);
            self.kind(&field.kind);
            let inside = std::mem::replace(&mut self.out, outside);
            self.varint(field.tag.expect("tagged") as usize);
            self.varint(inside.len());
            self.out.extend_from_slice(&inside);
        }
        self.varint(100);
        self.varint(3);
        self.out.put_slice(b"new");
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            // Ones: truth values that say that they are true.
            Kind::Fixed(bytes) => self.out.put_bytes(1, *bytes),
            Kind::Text | Kind::Blob => {
                let count = self.count();
                self.length(count, if matches!(kind, Kind::Text) { 2 } else { 4 });
                self.out.put_bytes(b'x', count);
            }
            Kind::Numbers(bytes) => self.list(|maker| maker.out.put_bytes(1, *bytes)),
            Kind::Texts => self.list(|maker| maker.kind(&Kind::Text)),
            Kind::List(fields) => self.list(|maker| maker.structure(fields)),
            Kind::Inside(fields) => self.structure(fields),
            Kind::Maybe(fields) => {
                let present = self.random.random_bool(0.5);
                self.out.put_i8(if present { 1 } else { -1 });
                if present {
                    self.structure(fields);
                }
            }
        }
    }

    fn list(&mut self, element: impl Fn(&mut Self)) {
        let count = self.count();
        self.length(count, 4);
        (0..count).for_each(|_| element(self));
    }

    fn count(&mut self) -> usize {
        self.random.random_range(0..4)
    }

    fn length(&mut self, count: usize, classic_bytes: usize) {
        match classic_bytes {
            _ if self.flexible => self.varint(count + 1),
            2 => self.out.put_u16(u16::try_from(count).expect("small")),
            _ => self.out.put_u32(u32::try_from(count).expect("small")),
        }
    }

    fn varint(&mut self, number: usize) {
        assert!(number < 1 << 14);
        if number >= 0x80 {
            self.out.put_u8(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
            self.out.put_u8(u8::try_from(number >> 7).expect("seven bits"));
        } else {
            self.out.put_u8(u8::try_from(number).expect("seven bits"));
        }
    }
}

/// What a piece of work reserves: the allocator of this test binary counts for each thread.
mod reserved {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    struct Counting;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    // SAFETY: every call goes to the system's allocator as it came.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            BYTES.with(|bytes| bytes.set(bytes.get() + layout.size()));
            // SAFETY: the caller's promises about `layout` are handed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the pointer came from `alloc` above, and so from the system.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    pub(super) fn reserved_by<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = BYTES.get();
        let result = work();
        (result, BYTES.get() - before)
    }
}
