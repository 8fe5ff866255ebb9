use std::{
    fs, io,
    path::Path,
    sync::{Arc, atomic::Ordering::SeqCst, mpsc as sync_mpsc},
};

use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    faulty::{self, Faults},
    *,
};

/// The lines of a log as values, and how many were skipped.
fn values(claim: &Claim) -> (Vec<Value>, u64) {
    let mut values = Vec::new();
    let seen = claim.read(|line| line.parse().map(|value| values.push(value))).unwrap();
    (values, seen.skipped)
}

fn torn_files(folder: &Path) -> Vec<Vec<u8>> {
    let is_torn = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains(".torn-");
    fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(is_torn)
        .map(|entry| fs::read(entry.path()).unwrap())
        .collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a reader")]
fn ignore(_: Line<'_>) -> Result<(), Infallible> {
    Ok(())
}

#[tokio::test]
async fn a_record_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/log.jsonl");
    let log = Log::open(&path, ignore).unwrap();
    log.append(&json!({ "text": "one\u{2028}two\u{85}\nthree" })).await.unwrap();
    log.append_line(b"[1]".to_vec()).await.unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\"text\":\"one\u{2028}two\u{85}\\nthree\"}\n[1]\n",
        "on the disk while the log is still open"
    );
    let refused = log.append_line(b"{\n}".to_vec()).await.unwrap_err();
    assert!(matches!(refused, Error::LineBreak { .. }));
    drop(log);

    let (read, skipped) = values(&Claim::take(&path).unwrap());
    assert_eq!(read, [json!({ "text": "one\u{2028}two\u{85}\nthree" }), json!([1])]);
    assert_eq!(skipped, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    fs::write(&path, "{}\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Log::open(&path, ignore).unwrap());
    for file in [&path, &folder.path().join("log.jsonl.lock")] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let log = Log::open(&path, ignore).unwrap();
    assert!(matches!(Log::open(&path, ignore).unwrap_err(), Error::Owned { .. }));
    log.append(&1).await.unwrap();
    drop(log);
    Log::open(&path, ignore).unwrap();
}

#[test]
fn a_torn_end_is_repaired() {
    let check = |content: &[u8], kept: &[u8], aside: &[&[u8]]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        fs::write(&path, content).unwrap();
        drop(Claim::take(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), kept);
        assert_eq!(torn_files(folder.path()), aside);
    };
    check(b"", b"", &[]);
    check(b"{\"a\":1}\n", b"{\"a\":1}\n", &[]);
    check(b"{\"a\":1}\n{\"b\":2}", b"{\"a\":1}\n{\"b\":2}\n", &[]);
    check(b"{\"a\":1}\n{\"b\":", b"{\"a\":1}\n", &[b"{\"b\":"]);
    check(b"{\"b\":", b"", &[b"{\"b\":"]);
    check(b"[1]\n12", b"[1]\n", &[b"12"]);
    check(b"[1]\n\0\0\0", b"[1]\n", &[b"\0\0\0"]);
    check(b"[1]\n\xff\xfe", b"[1]\n", &[b"\xff\xfe"]);
    let long = [b"[1]\n\"".as_slice(), &vec![b'x'; 200_000]].concat();
    check(&long, b"[1]\n", &[&long[4..]]);
}

#[test]
fn a_damaged_line_is_skipped_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let content = b"[1]\n{\"half\":\n\n[2]\r\n\xff\n[3]\n";
    fs::write(&path, content).unwrap();
    let claim = Claim::take(&path).unwrap();
    assert_eq!(values(&claim), (vec![json!([1]), json!([2]), json!([3])], 2));
    let mut numbers = Vec::new();
    claim
        .read(|line| {
            numbers.push(line.number);
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(numbers, [1, 2, 4, 5, 6]);
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn a_reader_without_the_lock_leaves_out_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    assert_eq!(read(&path, ignore).unwrap(), Seen::default());
    fs::write(&path, "[1]\n[2]").unwrap();
    assert_eq!(read(&path, ignore).unwrap().lines, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[1]\n[2]");
}

#[tokio::test]
async fn retained_lines_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    fs::write(&path, "{ \"a\" : 1 }\n[2]\nnot json\n[3]\n").unwrap();
    let claim = Claim::take(&path).unwrap();
    claim.retain(|line| line.bytes != b"[2]").unwrap();
    let log = claim.start().unwrap();
    log.append(&4).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{ \"a\" : 1 }\nnot json\n[3]\n4\n");
}

/// Memory whose every sync waits for the test.
struct Gated {
    gate: sync_mpsc::Receiver<()>,
    faults: Arc<Faults>,
}

impl Medium for Gated {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, SeqCst);
        self.gate.recv().map_err(io::Error::other)
    }
    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn exchange(&mut self, _: fs::File) {}
    fn stands_at(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_to_a_file_that_was_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("log.jsonl"), folder.path().join("aside"));
    let log = Log::open(&path, ignore).unwrap();
    log.append(&1).await.unwrap();
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(log.append(&2).await, Err(Error::Append { .. })));
    fs::write(&path, "").unwrap();
    assert!(matches!(log.append(&3).await, Err(Error::Append { .. })), "another file is in its place");
    fs::rename(&aside, &path).unwrap();
    log.append(&4).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n4\n");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_taken_away_is_not_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("log.jsonl"), folder.path().join("aside"));
    fs::write(&path, "1\n2\n").unwrap();
    let claim = Claim::take(&path).unwrap();
    let records = claim.start_records(Subjects::default(), Mark { at: 4, lines: 2 }).unwrap();
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(records.rewrite(), Err(Error::File { .. })));
    assert!(!path.try_exists().unwrap());
    fs::write(&path, "theirs\n").unwrap();
    assert!(matches!(records.rewrite(), Err(Error::File { .. })), "another file is in its place");
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs\n");
    fs::rename(&aside, &path).unwrap();
    records.rewrite().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "nobody needs any of it");
}

#[tokio::test]
async fn records_that_wait_share_one_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (open_gate, gate) = sync_mpsc::channel();
    let faults = Arc::new(Faults::default());
    let claim = Claim::take(&folder.path().join("log.jsonl")).unwrap();
    let log = claim.start_on(Gated { gate, faults: Arc::clone(&faults) }).unwrap();
    let mut first = Box::pin(log.append(&0));
    assert!(futures_util::poll!(&mut first).is_pending());
    while faults.syncs.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    let mut others: Vec<_> = (1..50).map(|_| Box::pin(log.append(&1))).collect();
    for other in &mut others {
        assert!(futures_util::poll!(other).is_pending());
    }
    open_gate.send(()).unwrap();
    open_gate.send(()).unwrap();
    first.await.unwrap();
    assert!(join_all(others).await.iter().all(Result::is_ok));
    assert_eq!(faults.syncs.load(SeqCst), 2);
}

#[tokio::test]
async fn a_full_disk_refuses_every_caller_keeps_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let faults = Arc::new(Faults::default());
    let log = faulty::start(Claim::take(&path).unwrap(), &faults);
    log.append(&"before").await.unwrap();

    faults.full.store(true, SeqCst);
    let refused = join_all((0..64).map(|n| {
        let log = log.clone();
        async move { log.append(&n).await }
    }))
    .await;
    assert!(refused.iter().all(|answer| matches!(answer, Err(Error::Append { .. }))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "\"before\"\n");

    faults.stuck.store(true, SeqCst);
    log.append(&"lost").await.unwrap_err();
    assert_ne!(fs::read_to_string(&path).unwrap(), "\"before\"\n");
    faults.full.store(false, SeqCst);
    log.append(&"lost too").await.unwrap_err();
    faults.stuck.store(false, SeqCst);
    log.append(&"after").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "\"before\"\n\"after\"\n");
}

#[tokio::test]
async fn what_is_put_aside_makes_room_under_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("log.jsonl"), folder.path().join("log.jsonl.1"));
    fs::write(&path, "1\n").unwrap();
    fs::write(&aside, "0\n").unwrap();
    let claim = Claim::take(&path).unwrap();
    claim.put_aside().unwrap();
    assert_eq!(claim.size().unwrap(), 0);
    assert!(matches!(Claim::take(&path), Err(Error::Owned { .. })));
    claim.start().unwrap().append(&2).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap() + &fs::read_to_string(&aside).unwrap(), "2\n1\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes, every ended line is shown as it is, and the next record gets a line of its own.
    #[test]
    fn any_bytes_can_be_opened(bytes in prop::collection::vec(
        prop_oneof![Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b'1'), any::<u8>()], 0..200,
    )) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        fs::write(&path, &bytes).unwrap();
        let mut shown = Vec::new();
        let claim = Claim::take(&path).unwrap();
        claim.read(|line| { shown.push(line.bytes.to_vec()); Ok::<_, Infallible>(()) }).unwrap();
        let ended = bytes.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &bytes[..=end]);
        let expected: Vec<_> = ended.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
        prop_assert_eq!(&shown[..expected.len()], &expected[..]);
        prop_assert!(fs::read(&path).unwrap().starts_with(ended));

        let log = claim.start().unwrap();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(log.append(&json!({}))).unwrap();
        drop(log);
        let mut last = Vec::new();
        read(&path, |line| { last = line.bytes.to_vec(); Ok::<_, Infallible>(()) }).unwrap();
        prop_assert_eq!(last, b"{}");
    }
}
