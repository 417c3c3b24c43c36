//! Random appends, truncations and restarts against a list of batches.

use logdyno_record::Offset;
use proptest::prelude::*;

use crate::world::{World, append, batch, clean, content};

#[derive(Clone, Debug)]
enum Step {
    Append { count: usize, len: usize },
    Truncate { share: f64 },
    StartOver { at: i64 },
    Restart { closed: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..5_usize, 0..300_usize).prop_map(|(count, len)| Step::Append { count, len }),
        2 => (0.0..1.1_f64).prop_map(|share| Step::Truncate { share }),
        1 => (0..1_000_i64).prop_map(|at| Step::StartOver { at }),
        2 => any::<bool>().prop_map(|closed| Step::Restart { closed }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_list_of_batches(steps in prop::collection::vec(step(), 1..40)) {
        let kind = logdyno_storage::kinds().into_iter().find(|kind| kind.name == "buffered").expect("a backend");
        let world = World::new(kind).expect("buffered runs everywhere").with_segments(2_000);
        let (mut log, _) = world.open();
        let (mut model, mut start) = (Vec::<(i64, i64)>::new(), 0);
        for step in steps {
            let end = model.last().map_or(start, |(_, last)| last + 1);
            match step {
                Step::Append { count, len } => {
                    let appended = append(&log, &batch(count, len));
                    model.push((appended.first.0, appended.last.0));
                    prop_assert_eq!(appended.first.0, end);
                }
                Step::Truncate { share } => {
                    let to = start + ((end - start) as f64 * share) as i64;
                    log.truncate_to(Offset(to)).expect("a truncation");
                    model.retain(|(_, last)| *last < to);
                }
                Step::StartOver { at } => {
                    log.truncate_fully_and_start_at(Offset(at)).expect("a new start");
                    model.clear();
                    start = at;
                }
                Step::Restart { closed } => {
                    let recovery_point = log.recovery_point().0;
                    if closed {
                        log.close().expect("a clean close");
                        drop(log);
                    } else {
                        world.kill(log);
                    }
                    log = if closed {
                        let (log, report) = world.try_open(clean(end)).expect("the log opens");
                        prop_assert_eq!(report.segments_walked, 0);
                        log
                    } else {
                        let (log, report) =
                            world.try_open(crate::world::unclean(recovery_point)).expect("the log opens");
                        prop_assert_eq!(report.cut, None);
                        log
                    };
                }
            }
            prop_assert_eq!(log.start_offset().0, start);
            prop_assert_eq!(&content(&log), &model);
        }
    }
}
