use logdyno_storage::*;
use std::io::IoSlice;

#[test]
fn buffered_end_to_end() {
    let dir = tempfile::tempdir().unwrap();
    for kind in kinds() {
        let backend = kind.start_on(dir.path()).unwrap();
        let storage = backend.open(&dir.path().join(kind.name)).unwrap();
        let mut w = storage.create("a", 1 << 30).unwrap();
        let r = storage.reader("a").unwrap();
        let mut all = Vec::new();
        for i in 0..500u32 {
            let part = vec![i as u8; (i * 37 % 5000) as usize];
            let big = vec![!i as u8; if i % 50 == 49 { 200_000 } else { 3 }];
            assert_eq!(w.append(&[IoSlice::new(&part), IoSlice::new(&big)]).unwrap(), Append::At(all.len() as u64));
            all.extend_from_slice(&part);
            all.extend_from_slice(&big);
            assert_eq!(r.len(), all.len() as u64);
            let from = all.len().saturating_sub(10_000);
            assert_eq!(read_blocking(&*r, from as u64, 20_000).unwrap(), all[from..]);
        }
        assert_eq!(read_blocking(&*r, 0, all.len() + 5).unwrap(), all);
        let at = w.begin_sync(Level::Durable).unwrap();
        assert!(w.marks().wait(Level::Durable, at, std::time::Duration::from_secs(60)).unwrap());
        w.close().unwrap();
        assert_eq!(std::fs::read(dir.path().join(kind.name).join("a")).unwrap(), all);
        println!("{:?}", backend.counters());
    }
}
