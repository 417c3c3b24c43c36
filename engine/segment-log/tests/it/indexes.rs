//! Indexes are rebuilt whenever they do not fit their segment.

use std::fs;
use std::path::Path;

use logdyno_record::Offset;

use crate::world::{clean, content, fill, on_every_backend, threes};

fn rebuilt(name: &str, extension: &'static str, damage: impl Fn(&Path, &[u8])) {
    on_every_backend(|world| {
        let world = world.with_segments(2_000);
        let (log, _) = world.open();
        fill(&log, 60);
        log.close().expect("a clean close");
        drop(log);
        let index = &world.files(extension)[0];
        let sound = fs::read(index).expect("an index");
        assert!(sound.len() >= 12, "{name}: there is something to damage");
        damage(index, &sound);
        let (log, report) = world.try_open(clean(60)).expect("the log opens");
        assert_eq!((report.segments_walked, report.cut), (1, None), "{name}: only that segment is walked");
        assert_eq!(content(&log), threes(60), "{name}");
        for from in 0..60 {
            let slice = log.read_blocking(Offset(from), Offset(60), 1, true).expect("a read");
            assert_eq!(slice.first.0, from / 3 * 3, "{name}");
        }
    });
}

#[test]
fn missing() {
    for extension in ["index", "timeindex"] {
        rebuilt("missing", extension, |path, _| fs::remove_file(path).expect("it goes"));
    }
}

#[test]
fn damaged() {
    for extension in ["index", "timeindex"] {
        rebuilt("cut", extension, |path, sound| fs::write(path, &sound[..sound.len() - 1]).expect("written"));
        rebuilt("negative", extension, |path, sound| fs::write(path, vec![0xff; sound.len()]).expect("written"));
    }
}

#[test]
fn lying() {
    rebuilt("a position within a batch", "index", |path, sound| {
        let mut lying = sound.to_vec();
        *lying.last_mut().expect("an entry") += 1;
        fs::write(path, lying).expect("written");
    });
    rebuilt("another batch's offset", "index", |path, sound| {
        let mut lying = sound.to_vec();
        let at = lying.len() - 5;
        lying[at] += 3;
        fs::write(path, lying).expect("written");
    });
    rebuilt("an older maximum", "timeindex", |path, sound| {
        let mut lying = sound.to_vec();
        let at = lying.len() - 5;
        lying[at] -= 1;
        fs::write(path, lying).expect("written");
    });
}
