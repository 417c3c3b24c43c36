//! What `fuzz/` does without end, here for a bounded time on a stable compiler: segments and small files with anything in them.

use std::path::Path;

use proptest::prelude::*;

#[path = "../../../../fuzz/src/batches.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate exports what this binary only uses")]
mod batches;
#[path = "../../../../fuzz/src/files.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate exports what this binary only uses")]
mod files;

/// Sound bytes of which some were overwritten, some cut off, and some put behind.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damages = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (damages, 0.0..1.2_f64, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(damages, share, behind)| {
        let mut bytes = files::sound_segment();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate((bytes.len() as f64 * share) as usize);
        bytes.extend(behind);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_segment_of_anything_is_refused_or_recovered_once(bytes in damaged()) {
        batches::walk(&bytes);
        files::recover(&bytes);
    }

    #[test]
    fn noise_is_no_segment(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        batches::walk(&bytes);
        batches::decompress(&bytes);
        files::recover(&bytes);
    }

    #[test]
    fn small_files_are_never_believed_more_than_the_batches(bytes in prop::collection::vec(any::<u8>(), 1..80)) {
        files::lie(&bytes);
    }

    /// Text, which gets further into a checkpoint.
    #[test]
    fn checkpoints_of_anything_are_refused_or_true(chosen in prop::sample::select(vec![3_u8, 7]), text in "0\n[0-3]\n([0-9]{1,3} [0-9]{1,3}\n){0,3}") {
        files::lie(&[&[chosen][..], text.as_bytes()].concat());
    }
}

/// The committed corpus: what once was worth a look is looked at each time.
#[test]
fn the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let each = |target: &str, run: fn(&[u8])| {
        let seeds = std::fs::read_dir(corpus.join(target)).expect("a corpus for each target");
        let ran = seeds.map(|seed| run(&std::fs::read(seed.expect("a seed").path()).expect("its bytes"))).count();
        assert!(ran > 0, "{target} has a corpus");
    };
    each("batches", batches::walk);
    each("decompression", batches::decompress);
    each("recovery", files::recover);
    each("small_files", files::lie);
}
