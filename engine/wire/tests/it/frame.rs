//! Frames from a stream that comes in pieces.

use std::time::Duration;

use bytes::Bytes;
use logdyno_wire::frame::{FrameError, FrameLimits, FrameReader, write_pieces};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
}

async fn frames(limits: FrameLimits, chunks: Vec<Vec<u8>>) -> (Vec<Bytes>, Result<(), FrameError>) {
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let writer = tokio::spawn(async move {
        for chunk in chunks {
            if ours.write_all(&chunk).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut reader = FrameReader::new(theirs, limits);
    let mut read = Vec::new();
    let end = loop {
        match reader.next().await {
            Ok(Some(frame)) => read.push(frame),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(reader);
    writer.await.expect("written");
    (read, end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn frames_survive_any_cut(lengths in proptest::collection::vec(1_usize..100_000, 1..6), cut in 1_usize..70_000) {
        let sent: Vec<Vec<u8>> = (0_u8..).zip(&lengths).map(|(byte, length)| vec![byte; *length]).collect();
        let mut stream = Vec::new();
        for frame in &sent {
            stream.extend(u32::try_from(frame.len()).expect("small").to_be_bytes());
            stream.extend(frame);
        }
        let chunks = stream.chunks(cut).map(<[u8]>::to_vec).collect();
        let (read, end) = run(frames(FrameLimits::default(), chunks));
        prop_assert!(end.is_ok());
        prop_assert_eq!(read, sent);
    }
}

#[test]
fn what_is_no_frame_is_named() {
    let limits = FrameLimits { bytes_max: 10, ..FrameLimits::default() };
    let end = |bytes: &[u8]| run(frames(limits, vec![bytes.to_vec()])).1.expect_err("no frame");
    assert!(matches!(end(&[0xff; 4]), FrameError::Length { length: -1 }));
    assert!(matches!(end(&[0; 4]), FrameError::Length { length: 0 }));
    assert!(matches!(end(&[0, 0, 0, 11]), FrameError::TooLarge { length: 11, limit: 10 }));
    assert!(matches!(end(&[0, 0, 0, 5, 1, 2]), FrameError::Cut { received: 2, length: 5 }));
    assert!(matches!(end(&[0, 0]), FrameError::Cut { received: 2, length: 0 }));
}

#[test]
fn silence_is_borne_for_as_long_as_was_said() {
    let patience = Some(Duration::from_millis(20));
    let limits = FrameLimits { idle: patience, stall: patience, ..FrameLimits::default() };
    run(async {
        for (sent, within) in [(&[][..], false), (&[0, 0, 0, 5, 1][..], true)] {
            let (mut ours, theirs) = tokio::io::duplex(64);
            ours.write_all(sent).await.expect("written");
            let silent = FrameReader::new(theirs, limits).next().await;
            assert!(matches!(silent, Err(FrameError::Silent { mid_frame }) if mid_frame == within));
        }
    });
}

#[test]
fn pieces_leave_in_order_through_a_narrow_stream() {
    run(async {
        let (mut ours, theirs) = tokio::io::duplex(3);
        let pieces: Vec<Bytes> = (0_u8..200).map(|byte| Bytes::from(vec![byte; usize::from(byte) % 7])).collect();
        let body = pieces.concat();
        let length = Bytes::from(u32::try_from(body.len()).expect("small").to_be_bytes().to_vec());
        let sent: Vec<Bytes> = std::iter::once(length).chain(pieces).collect();
        let writer = tokio::spawn(async move { write_pieces(&mut ours, &sent).await });
        let read = FrameReader::new(theirs, FrameLimits::default()).next().await;
        assert_eq!(read.expect("a frame").expect("one"), body);
        writer.await.expect("finished").expect("written");
    });
}
