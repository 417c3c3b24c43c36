//! What `fuzz/` does without end, here for a bounded time on a stable compiler: frames that may be requests.

use std::path::Path;

use bytes::{BufMut, BytesMut};
use logdyno_wire::api::BROKER;
use proptest::prelude::*;

#[path = "../../../../fuzz/src/requests.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate exports what this binary only uses")]
mod requests;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_behind_a_sound_header_is_read_or_refused(
        chosen in any::<prop::sample::Index>(),
        version in 0_i16..18,
        body in prop::collection::vec(prop_oneof![3 => 0_u8..3, 1 => any::<u8>()], 0..120),
    ) {
        let mut frame = BytesMut::new();
        frame.put_i16(BROKER[chosen.index(BROKER.len())].key as i16);
        frame.put_i16(version);
        frame.put_i32(7);
        frame.put_i16(-1);
        frame.extend_from_slice(&body);
        requests::read(&frame);
    }

    #[test]
    fn noise_is_no_request(frame in prop::collection::vec(any::<u8>(), 0..60)) {
        requests::read(&frame);
    }
}

/// The committed corpus: what once was worth a look is looked at each time.
#[test]
fn the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/requests");
    let seeds = std::fs::read_dir(corpus).expect("a corpus");
    let ran =
        seeds.map(|seed| requests::read(&std::fs::read(seed.expect("a seed").path()).expect("its bytes"))).count();
    assert!(ran > 0);
}
