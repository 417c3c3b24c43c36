//! A look into the files, whole and torn.

use std::fs;

use logdyno_segment_log::dump::{self, Dumped, DumpedIndex};

use crate::world::{fill, on_every_backend};

#[test]
fn a_segment_is_told_batch_by_batch_up_to_where_it_is_torn() {
    on_every_backend(|world| {
        let world = world.with_segments(1 << 20);
        let (log, _) = world.open();
        fill(&log, 30);
        log.close().expect("a clean close");
        let path = &world.segment_files()[0];
        let all: Vec<_> = dump::segment(path).expect("it opens").map(|each| each.expect("it reads")).collect();
        assert_eq!(all.len(), 10);
        let mut position = 0;
        for each in &all {
            let Dumped::Batch(found) = each else { panic!("{each:?}") };
            assert_eq!((found.position, &found.sound), (position, &Ok(())));
            position += found.batch.size() as u64;
        }
        let DumpedIndex::Offsets(offsets) = dump::index(&world.files("index")[0]).expect("an index") else {
            panic!("an offset index")
        };
        assert!(!offsets.is_empty());
        let DumpedIndex::Times(times) = dump::index(&world.files("timeindex")[0]).expect("an index") else {
            panic!("a time index")
        };
        assert_eq!(times.last().map(|(time, _)| *time), Some(1_000));

        let mut bytes = fs::read(path).expect("the segment");
        let last = bytes.len() / 10 * 9;
        fs::write(path, &bytes[..bytes.len() - 1]).expect("torn");
        let end = dump::segment(path).expect("it opens").last().expect("an end").expect("it reads");
        assert!(matches!(end, Dumped::Torn { position, .. } if position == last as u64), "{end:?}");
        bytes.resize(bytes.len() + 500, 0);
        *bytes.get_mut(last + 70).expect("within the last batch") ^= 1;
        fs::write(path, &bytes).expect("flipped, with zeros behind");
        let all: Vec<_> = dump::segment(path).expect("it opens").map(|each| each.expect("it reads")).collect();
        assert!(matches!(&all[9], Dumped::Batch(found) if found.sound.is_err()), "{:?}", all[9]);
        assert!(matches!(all[10], Dumped::Zeros { .. }), "{:?}", all[10]);
    });
}
