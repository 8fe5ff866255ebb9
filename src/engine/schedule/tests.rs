use std::{fs, path::Path};

use jiff::{SignedDuration, ToSpan as _};

use super::*;
use crate::{
    catalog::Catalog,
    defs::{self, Source},
    engine::{self, Models},
    llm,
    tasks::{Filter, Options, Summary},
};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The one schedule of a file with these lines.
fn schedule(lines: &str) -> Schedule {
    let fixed = "name: one, target_type: employee, target_name: writer, args: {topic: x}";
    let text = format!("schedules: [{{{fixed}, {lines}}}]");
    let (config, found) = defs::parse_cron(&Source::new("cron.yaml", text));
    config.unwrap_or_else(|| panic!("{found:?}")).schedules.remove(0)
}

fn row(lines: &str, now: &str) -> Row {
    Row::new(&schedule(lines), Some("UTC"), None, at(now)).unwrap()
}

/// The same schedule after a restart.
fn restarted(row: Row, now: &str) -> Row {
    Row::new(&row.schedule, Some("UTC"), Some(row.kept), at(now)).unwrap()
}

#[track_caller]
fn looks(row: &mut Row, now: &str, busy: bool, expected: &[&str]) {
    let found: Vec<_> = row.look(at(now), busy).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{now}");
}

#[test]
fn each_moment_comes_due_once() {
    let mut row = row("cron: '0 9 * * *'", "2026-11-25T08:00:00Z");
    looks(&mut row, "2026-11-25T08:59:59Z", false, &[]);
    looks(&mut row, "2026-11-25T09:00:00Z", false, &["2026-11-25T09:00:00Z"]);
    looks(&mut row, "2026-11-25T09:00:01Z", false, &[]);
    looks(&mut row, "2026-11-26T09:00:20Z", false, &["2026-11-26T09:00:00Z"]);
    assert_eq!(row.kept.missed, 0);
}

/// Weak spot: whatever the zone of the machine, the fields mean the zone that is named.
#[test]
fn the_named_zone_counts() {
    let mut row = row("cron: '0 9 * * *', timezone: Asia/Shanghai", "2026-11-25T00:00:00Z");
    looks(&mut row, "2026-11-25T00:59:59Z", false, &[]);
    looks(&mut row, "2026-11-25T01:00:00Z", false, &["2026-11-25T01:00:00Z"]);
    let mut row = super::tests::row("cron: '* * * * *', timezone: America/New_York", "2026-11-25T00:00:30Z");
    looks(&mut row, "2026-11-25T00:00:59Z", false, &[]);
    looks(&mut row, "2026-11-25T00:01:00Z", false, &["2026-11-25T00:01:00Z"]);
}

#[test]
fn a_short_restart_misses_nothing() {
    let before = row("cron: '0 9 * * *'", "2026-11-25T08:00:00Z");
    let mut after = restarted(before, "2026-11-25T09:01:10Z");
    looks(&mut after, "2026-11-25T09:01:10Z", false, &["2026-11-25T09:00:00Z"]);
}

/// Weak spots: what was missed while the machine was down was lost, or came all at once.
#[test]
fn what_was_missed_is_made_up_for_as_the_file_says() {
    let check = |lines: &str, runs: &[&str], missed: u64, queued: usize| {
        let before = row(lines, "2026-11-20T12:00:00Z");
        let mut after = restarted(before, "2026-11-25T12:00:00Z");
        looks(&mut after, "2026-11-25T12:00:00Z", false, runs);
        assert_eq!((after.kept.missed, after.kept.queued.len()), (missed, queued), "{lines}");
        // That was all.
        looks(&mut after, "2026-11-25T12:00:05Z", true, &[]);
    };
    check("cron: '0 9 * * *'", &[], 5, 0);
    check("cron: '0 9 * * *', misfire: once", &["2026-11-25T09:00:00Z"], 4, 0);
    check("cron: '0 9 * * *', misfire: all", &["2026-11-21T09:00:00Z"], 0, 4);
    let every: Vec<_> = (21..=25).map(|day| format!("2026-11-{day}T09:00:00Z")).collect();
    let every: Vec<_> = every.iter().map(String::as_str).collect();
    check("cron: '0 9 * * *', misfire: all, overlap: allow", &every, 0, 0);
    // 7200 minutes; nobody counts them all, and the newest ten are made up for.
    check("cron: '* * * * *', misfire: once", &["2026-11-25T12:00:00Z"], 999, 0);
    check("cron: '* * * * *', misfire: all", &["2026-11-25T11:50:00Z"], 989, 10);
}

#[test]
fn made_up_runs_come_one_after_the_other() {
    let before = row("cron: '0 9 * * *', misfire: all", "2026-11-22T12:00:00Z");
    let mut after = restarted(before, "2026-11-25T12:00:00Z");
    looks(&mut after, "2026-11-25T12:00:00Z", false, &["2026-11-23T09:00:00Z"]);
    looks(&mut after, "2026-11-25T12:01:00Z", true, &[]);
    let mut after = restarted(after, "2026-11-25T12:02:00Z");
    looks(&mut after, "2026-11-25T12:02:00Z", false, &["2026-11-24T09:00:00Z"]);
    looks(&mut after, "2026-11-25T12:03:00Z", false, &["2026-11-25T09:00:00Z"]);
    looks(&mut after, "2026-11-25T12:04:00Z", false, &[]);
}

/// Weak spot: after a slow run all that was due meanwhile ran at once.
#[test]
fn a_moment_during_the_run_before_is_missed_queued_or_started() {
    let (first, second) = ("2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z");
    let mut skip = row("cron: '0 * * * *'", "2026-11-25T09:30:00Z");
    looks(&mut skip, first, false, &[first]);
    looks(&mut skip, second, true, &[]);
    looks(&mut skip, "2026-11-25T11:05:00Z", false, &[]);
    assert_eq!((skip.kept.missed, skip.kept.queued.len()), (1, 0));

    let mut queue = row("cron: '0 * * * *', overlap: queue", "2026-11-25T09:30:00Z");
    looks(&mut queue, first, false, &[first]);
    looks(&mut queue, second, true, &[]);
    looks(&mut queue, "2026-11-25T11:05:00Z", false, &[second]);
    for hour in 12..=23 {
        looks(&mut queue, &format!("2026-11-25T{hour}:00:00Z"), true, &[]);
    }
    assert_eq!((queue.kept.missed, queue.kept.queued.len()), (2, 10));

    let mut allow = row("cron: '0 * * * *', overlap: allow", "2026-11-25T09:30:00Z");
    looks(&mut allow, first, false, &[first]);
    looks(&mut allow, second, true, &[second]);
}

#[test]
fn a_clock_that_jumps_starts_no_storm() {
    let mut row = row("cron: '*/5 * * * *'", "2026-11-25T10:01:00Z");
    // Forward, as after a suspend.
    looks(&mut row, "2026-11-25T18:03:00Z", false, &[]);
    assert_eq!(row.kept.missed, 96);
    looks(&mut row, "2026-11-25T18:05:00Z", false, &["2026-11-25T18:05:00Z"]);
    // A correction.
    looks(&mut row, "2026-11-25T18:04:58Z", false, &[]);
    looks(&mut row, "2026-11-25T18:05:02Z", false, &[]);
    // It had been a year ahead.
    looks(&mut row, "2025-11-25T18:04:30Z", false, &[]);
    looks(&mut row, "2025-11-25T18:05:00Z", false, &["2025-11-25T18:05:00Z"]);
    assert_eq!(row.kept.missed, 96);
}

#[test]
fn the_clocks_of_a_zone_move_and_nothing_runs_twice_or_not_at_all() {
    // 2026-03-29 has no 02:30 in Berlin, 2026-10-25 has two.
    for (day, expected) in [("2026-03-29", "2026-03-29T01:00:00Z"), ("2026-10-25", "2026-10-25T00:30:00Z")] {
        let start = at(&format!("{day}T00:00:00Z")).checked_sub(1.hour()).unwrap();
        let mut row = row("cron: '30 2 * * *', timezone: Europe/Berlin", &start.to_string());
        let ran: Vec<_> = (0_i64..24 * 60)
            .flat_map(|minute| row.look(start.checked_add(minute.minutes()).unwrap(), false))
            .map(|moment| moment.to_string())
            .collect();
        assert_eq!((ran, row.kept.missed), (vec![expected.to_owned()], 0), "{day}");
    }
}

#[test]
fn chance_delays_a_run_the_same_way_each_time() {
    let mut delayed = row("cron: '0 9 * * *', jitter_seconds: 600", "2026-11-25T08:00:00Z");
    let moment = at("2026-11-25T09:00:00Z");
    let ran = (0..=600).find(|seconds| {
        let now = moment.checked_add(SignedDuration::from_secs(*seconds)).unwrap();
        !delayed.look(now, false).is_empty()
    });
    let again = row("cron: '0 9 * * *', jitter_seconds: 600", "2026-11-25T08:00:00Z");
    let wait = again.wait(moment).unwrap();
    assert_eq!(Some(wait.as_secs()), ran.map(i64::unsigned_abs));
    assert_eq!(again.next().unwrap().timestamp(), moment);
}

#[test]
fn another_time_or_a_pause_begins_anew() {
    let before = row("cron: '0 9 * * *', misfire: all", "2026-11-20T12:00:00Z");
    let changed = schedule("cron: '0 10 * * *', misfire: all");
    let mut after =
        Row::new(&changed, Some("UTC"), Some(before.kept.clone()), at("2026-11-25T12:00:00Z")).unwrap();
    looks(&mut after, "2026-11-25T12:00:00Z", false, &[]);
    let off = schedule("cron: '0 9 * * *', misfire: all, enabled: false");
    let mut off = Row::new(&off, Some("UTC"), Some(before.kept), at("2026-11-21T12:00:00Z")).unwrap();
    looks(&mut off, "2026-11-22T09:00:00Z", false, &[]);
    let on = schedule("cron: '0 9 * * *', misfire: all");
    let mut on = Row::new(&on, Some("UTC"), Some(off.kept), at("2026-11-25T12:00:00Z")).unwrap();
    looks(&mut on, "2026-11-25T12:00:00Z", false, &[]);
}

/// A crew with one employee, `writer`, and the tasks it is given, which `workers` do.
pub(super) async fn office(folder: &Path, cron: &str, workers: usize) -> (Arc<Crew>, Engine, Tracker) {
    office_of(folder, cron, Options { workers, ..Options::default() }).await
}

async fn office_of(folder: &Path, cron: &str, options: Options) -> (Arc<Crew>, Engine, Tracker) {
    let employee = "---\nname: writer\ndescription: d\nmodel: echo\nargs: [{name: topic, required: true}]\n---\nOn $topic.\n";
    fs::create_dir_all(folder.join(".crew/employees")).unwrap();
    fs::write(folder.join(".crew/employees/writer.md"), employee).unwrap();
    fs::write(folder.join(".crew/cron.yaml"), cron).unwrap();
    let client = llm::Client::new(llm::Settings::default(), Arc::default());
    let crew = Arc::new(Crew::new(Catalog::open(folder.to_owned()), client, Models::of("echo")));
    let tracker = Tracker::new();
    let options = Options { journal: Some(folder.join(".crew/tasks.jsonl")), ..options };
    let tasks = Engine::open(options, engine::bodies(&crew), tracker.clone()).await.unwrap();
    (crew, tasks, tracker)
}

pub(super) const HOURLY: &str = "timezone: UTC\nschedules:\n- {name: 'a:b', cron: '0 * * * *', target_type: employee, target_name: writer, args: {topic: x}, timeout_seconds: 60}\n- {name: lost, cron: '0 * * * *', target_type: employee, target_name: nobody}\n";

fn of(tasks: &Engine) -> Vec<Arc<Summary>> {
    tasks.list(&Filter::default())
}

#[tokio::test]
async fn a_moment_becomes_one_task_whatever_happens() {
    let folder = tempfile::tempdir().unwrap();
    let (crew, tasks, tracker) = office(folder.path(), HOURLY, 1).await;
    let cron = crew.definitions().await.cron.clone();
    let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    scheduler.round(cron.as_ref(), at("2026-11-25T09:30:00Z")).await;
    assert!(of(&tasks).is_empty());
    scheduler.round(cron.as_ref(), at("2026-11-25T10:00:01Z")).await;
    let [task] = &of(&tasks)[..] else { panic!("{:?}", of(&tasks)) };
    assert_eq!(task.idempotency_key.as_deref(), Some("cron:a:b:2026-11-25T10:00:00Z"));
    assert_eq!((task.trigger.as_str(), task.caller.as_deref()), ("cron", Some("schedule a:b")));
    assert_eq!(tasks.get(&task.task_id).await.unwrap().timeout_seconds, Some(60));
    assert_eq!(tasks.wait(&task.task_id).await.unwrap().status, Status::Completed);

    // What could not be started says why, and the run that ended says how.
    scheduler.round(cron.as_ref(), at("2026-11-25T10:00:20Z")).await;
    let status = scheduler.status();
    let [first, lost] = &status.schedules[..] else { panic!("{status:?}") };
    assert_eq!((first.last_status, first.running, first.missed), (Some(Status::Completed), false, 0));
    assert!(first.last_duration_ms.is_some());
    assert_eq!(first.last_run.as_deref(), Some("2026-11-25T10:00:00+00:00"));
    assert_eq!((lost.last_status, lost.last_task_id.as_ref()), (Some(Status::Failed), None));
    assert!(lost.last_error.as_ref().unwrap().contains("nobody"), "{lost:?}");

    // A crash before it was noted: the same moment is the same task.
    let again = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    again.round(cron.as_ref(), at("2026-11-25T09:59:59Z")).await;
    again.round(cron.as_ref(), at("2026-11-25T10:00:30Z")).await;
    assert_eq!(of(&tasks).len(), 1);
    // A restart: it is known what was seen to, and how it ended.
    let kept = Book::read(folder.path()).unwrap();
    let restarted = Scheduler::new(Arc::clone(&crew), tasks.clone(), kept);
    restarted.round(cron.as_ref(), at("2026-11-25T12:30:00Z")).await;
    let status = restarted.status();
    assert_eq!((status.schedules[0].missed, status.schedules[0].last_status), (2, Some(Status::Completed)));
    assert_eq!(of(&tasks).len(), 1);
    tracker.stop();
}

#[tokio::test]
async fn a_run_that_waits_for_a_worker_keeps_the_next_one_back() {
    let folder = tempfile::tempdir().unwrap();
    let (crew, tasks, tracker) = office(folder.path(), HOURLY, 0).await;
    let cron = crew.definitions().await.cron.clone();
    let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    for hour in 9..=12 {
        scheduler.round(cron.as_ref(), at(&format!("2026-11-25T{hour:02}:00:00Z"))).await;
    }
    let first = &scheduler.status().schedules[0];
    assert_eq!((of(&tasks).len(), first.running, first.missed), (1, true, 2));
    tracker.stop();
}

#[tokio::test]
async fn a_file_that_changes_leaves_the_other_schedules_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let (crew, tasks, tracker) = office(folder.path(), HOURLY, 1).await;
    let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    let cron = crew.definitions().await.cron.clone();
    scheduler.round(cron.as_ref(), at("2026-11-25T09:30:00Z")).await;
    scheduler.round(cron.as_ref(), at("2026-11-25T10:00:00Z")).await;
    let path = folder.path().join(".crew/cron.yaml");
    fs::write(
        &path,
        format!("# new\n{}", HOURLY.replace("name: lost, cron: '0 *", "name: lost, cron: '30 *")),
    )
    .unwrap();
    crew.catalog().refresh().await;
    let cron = crew.definitions().await.cron.clone();
    scheduler.round(cron.as_ref(), at("2026-11-25T10:10:00Z")).await;
    let status = scheduler.status();
    assert_eq!(status.schedules[0].last_run.as_deref(), Some("2026-11-25T10:00:00+00:00"));
    assert_eq!(status.schedules[1].next_run.as_deref(), Some("2026-11-25T10:30:00+00:00"));

    // A mistake in the file: what was there goes on.
    fs::write(&path, HOURLY.replace("0 * * * *", "0 * * *")).unwrap();
    crew.catalog().refresh().await;
    let kept = crew.definitions().await.cron.clone();
    assert!(Arc::ptr_eq(kept.as_ref().unwrap(), cron.as_ref().unwrap()));
    assert_eq!(scheduler.status().unusable, [".crew/cron.yaml"]);
    assert_eq!(scheduler.status().schedules.len(), 2);
    tracker.stop();
}

#[tokio::test]
async fn schedules_can_be_added_and_removed_while_a_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (crew, _, tracker) = office(folder.path(), HOURLY, 0).await;
    let new = NewSchedule {
        name: "每周".to_owned(),
        cron: "0 9 * * MON".to_owned(),
        target_type: defs::TargetKind::Employee,
        target_name: "writer".to_owned(),
        args: [("topic".to_owned(), "{date} $x".to_owned())].into(),
        timezone: Some("Europe/Berlin".to_owned()),
        model: None,
        misfire: Some(defs::Misfire::Once),
        overlap: None,
        jitter_seconds: Some(10),
        timeout_seconds: None,
        retry: None,
        budget: defs::Budget::default(),
        delivery: Vec::new(),
    };
    let refused = async |change: fn(&mut NewSchedule)| {
        let mut new = new.clone();
        change(&mut new);
        crew.add_schedule(&new).await.unwrap_err().to_string()
    };
    assert!(refused(|new| new.cron = "0 9 31 2 *".to_owned()).await.contains("never comes due"));
    assert!(refused(|new| new.cron = "* * * * * *".to_owned()).await.contains("once a minute"));
    assert!(refused(|new| new.timezone = Some("Mars/Base".to_owned())).await.contains("Mars/Base"));
    assert!(refused(|new| new.target_name = "writr".to_owned()).await.contains("writr"));
    assert!(refused(|new| new.delivery.push("ops".to_owned())).await.contains("no destination `ops`"));
    assert!(refused(|new| new.args.clear()).await.contains("topic"));
    assert!(refused(|new| new.name = "a\nb".to_owned()).await.contains("64 characters"));
    assert!(refused(|new| new.name = " ".to_owned()).await.contains("blanks"));
    assert!(refused(|new| new.jitter_seconds = Some(9999)).await.contains("3600"));
    assert!(
        refused(|new| drop(new.args.insert("topic".to_owned(), "x".repeat(20_000)))).await.contains("16 KiB")
    );
    assert!(refused(|new| new.name = "lost".to_owned()).await.contains("already"));
    assert!(!folder.path().join(".crew/schedules.json").try_exists().unwrap());

    crew.add_schedule(&new).await.unwrap();
    assert!(matches!(crew.add_schedule(&new).await, Err(ScheduleRefusal::Exists(_))));
    let status = crew.schedules(None).await;
    let row = &status.schedules[2];
    assert_eq!(
        (row.name.as_str(), row.added, row.timezone.as_deref()),
        ("每周", true, Some("Europe/Berlin"))
    );
    assert!(!status.schedules[0].added);
    assert!(
        crew.definitions().await.findings.iter().all(|found| !found.source.name.contains("schedules.json"))
    );
    let written = crew.remove_schedule("lost").await.unwrap_err();
    assert!(written.to_string().contains("cron.yaml"), "{written}");
    assert!(matches!(
        crew.remove_schedule("每周一").await,
        Err(ScheduleRefusal::Unknown { near: Some(_), .. })
    ));
    crew.remove_schedule("每周").await.unwrap();
    assert_eq!(crew.schedules(None).await.schedules.len(), 2);
    fs::write(folder.path().join(".crew/schedules.json"), "[]").unwrap();
    assert!(matches!(crew.add_schedule(&new).await, Err(ScheduleRefusal::Unusable)));
    tracker.stop();
}

/// The journal refuses, or too many tasks wait: a run that cannot begin.
#[track_caller]
fn refused(row: &mut Row, now: &str, busy: bool, expected: &[&str]) {
    looks(row, now, busy, expected);
    for moment in expected {
        row.put_back(at(moment), at(now));
    }
}

#[test]
fn runs_that_cannot_begin_are_late_and_do_not_pile_up() {
    for lines in
        ["cron: '* * * * *'", "cron: '* * * * *', overlap: allow", "cron: '* * * * *', misfire: once"]
    {
        let mut row = row(lines, "2026-11-25T09:59:30Z");
        refused(&mut row, "2026-11-25T10:00:00Z", false, &["2026-11-25T10:00:00Z"]);
        assert_eq!(row.wait(at("2026-11-25T10:00:01Z")), Some(Duration::from_secs(4)), "{lines}");
        looks(&mut row, "2026-11-25T10:00:03Z", false, &[]);
        for minute in 1..=59 {
            let (now, newest) =
                (format!("2026-11-25T10:{minute:02}:30Z"), format!("2026-11-25T10:{minute:02}:00Z"));
            refused(&mut row, &now, false, &[newest.as_str()]);
        }
        assert_eq!(row.late(at("2026-11-25T10:59:40Z")), Duration::from_secs(3580), "{lines}");
        looks(&mut row, "2026-11-25T10:59:50Z", false, &["2026-11-25T10:59:00Z"]);
        row.began(Last::of(at("2026-11-25T10:59:00Z"), Err("x".to_owned())));
        assert_eq!((row.kept.missed, row.kept.queued.len()), (59, 0), "{lines}");
        assert_eq!(row.late(at("2026-11-25T10:59:55Z")), Duration::ZERO, "{lines}");
        looks(&mut row, "2026-11-25T11:00:00Z", false, &["2026-11-25T11:00:00Z"]);
    }
}

#[test]
fn a_run_that_could_not_begin_is_not_missed_however_long_that_takes() {
    let mut daily = row("cron: '30 2 * * *'", "2026-11-25T00:00:00Z");
    refused(&mut daily, "2026-11-25T02:30:00Z", false, &["2026-11-25T02:30:00Z"]);
    // Nor is it when the server starts again meanwhile, or another schedule is added.
    let (one, kept, now) = (&daily.schedule, daily.kept.clone(), at("2026-11-25T03:59:00Z"));
    let mut after = Row::new(one, Some("UTC"), Some(kept), now).unwrap();
    assert_eq!(after.late(now), Duration::from_mins(89));
    for row in [&mut daily, &mut after] {
        looks(row, "2026-11-25T04:00:00Z", false, &["2026-11-25T02:30:00Z"]);
        row.began(Last::of(at("2026-11-25T02:30:00Z"), Err("x".to_owned())));
        assert_eq!((row.kept.missed, row.kept.held_since), (0, None));
    }

    // Those that are all made up for keep their order, and their bound.
    let mut all = row("cron: '0 * * * *', misfire: all, overlap: allow", "2026-11-25T00:30:00Z");
    refused(&mut all, "2026-11-25T01:00:00Z", false, &["2026-11-25T01:00:00Z"]);
    let hours: Vec<_> = (1..=3).map(|hour| format!("2026-11-25T{hour:02}:00:00Z")).collect();
    let hours: Vec<_> = hours.iter().map(String::as_str).collect();
    refused(&mut all, "2026-11-25T03:30:00Z", false, &hours);
    looks(&mut all, "2026-11-25T03:40:00Z", false, &hours);

    // One that had waited for the run before it waits on in its place.
    let mut queue = row("cron: '0 * * * *', overlap: queue", "2026-11-25T00:30:00Z");
    looks(&mut queue, "2026-11-25T01:00:00Z", true, &[]);
    looks(&mut queue, "2026-11-25T02:00:00Z", true, &[]);
    refused(&mut queue, "2026-11-25T02:10:00Z", false, &["2026-11-25T01:00:00Z"]);
    assert_eq!(queue.kept.queued, [at("2026-11-25T01:00:00Z"), at("2026-11-25T02:00:00Z")]);
    looks(&mut queue, "2026-11-25T02:20:00Z", false, &["2026-11-25T01:00:00Z"]);
    assert_eq!(queue.kept.missed, 0);
}

/// Also one that needs no place, as it began before under its key.
#[tokio::test]
async fn what_comes_after_a_run_that_cannot_begin_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let lines = HOURLY.lines().find(|line| line.contains("a:b")).unwrap();
    let cron = format!(
        "timezone: UTC\nschedules:\n{}\n",
        lines.replace("cron:", "misfire: all, overlap: allow, cron:")
    );
    let options = Options { workers: 0, queue: 2, ..Options::default() };
    let (crew, tasks, tracker) = office_of(folder.path(), &cron, options).await;
    let cron = crew.definitions().await.cron.clone();
    let last = at("2026-11-25T12:00:00Z");
    let early =
        crew.plan_scheduled(&cron.as_ref().unwrap().schedules[0], Trigger::CRON, Some(key("a:b", last)));
    tasks.submit(early.await.unwrap()).await.unwrap();
    let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    scheduler.round(cron.as_ref(), at("2026-11-25T09:30:00Z")).await;
    let now = at("2026-11-25T12:00:10Z");
    scheduler.round(cron.as_ref(), now).await;
    let began = |scheduler: &Scheduler| {
        let state = scheduler.state.lock();
        state.rows["a:b"].kept.last.as_ref().map(|last| last.due)
    };
    assert_eq!((of(&tasks).len(), began(&scheduler)), (2, Some(at("2026-11-25T10:00:00Z"))));
    assert!(scheduler.nap(now) > Duration::ZERO, "it is not tried again at once");
    for task in of(&tasks).iter().filter(|task| task.idempotency_key != Some(key("a:b", last))) {
        tasks.cancel(&task.task_id).await.unwrap();
    }
    scheduler.round(cron.as_ref(), at("2026-11-25T12:00:20Z")).await;
    assert_eq!((of(&tasks).len(), began(&scheduler)), (3, Some(last)), "11:00 and then 12:00");
    tracker.stop();
}

/// A branch is switched, a file is copied anew: for a moment it is not there.
#[tokio::test]
async fn a_schedule_that_is_away_for_a_moment_goes_on_as_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (crew, tasks, tracker) = office(folder.path(), HOURLY, 0).await;
    let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
    let cron = crew.definitions().await.cron.clone();
    let round = async |config: bool, now: &str| {
        scheduler.round(cron.as_ref().filter(|_| config), at(now)).await;
    };
    round(true, "2026-11-25T09:30:00Z").await;
    round(true, "2026-11-25T10:00:00Z").await;
    round(true, "2026-11-25T11:00:00Z").await;
    assert_eq!((of(&tasks).len(), scheduler.status().schedules[0].missed), (1, 1), "the run goes on");
    round(false, "2026-11-25T11:59:50Z").await;
    assert_eq!(scheduler.status().schedules.len(), 0);
    round(true, "2026-11-25T12:00:10Z").await;
    let status = scheduler.status();
    let first = &status.schedules[0];
    assert_eq!((of(&tasks).len(), first.running, first.missed), (1, true, 2), "{first:?}");
    // After longer, nothing is made up for, but it is known what goes on.
    round(false, "2026-11-25T12:10:00Z").await;
    round(true, "2026-11-25T13:30:00Z").await;
    assert_eq!(scheduler.status().schedules[0].missed, 2);
    round(true, "2026-11-25T14:00:00Z").await;
    assert_eq!((of(&tasks).len(), scheduler.status().schedules[0].missed), (1, 3));
    tracker.stop();
}

#[test]
fn not_every_schedule_that_ever_was_is_remembered() {
    let mut state = State::default();
    let now = at("2026-11-25T10:00:00Z");
    for number in 0..2 * MOST_REMEMBERED {
        let one = Schedule { name: number.to_string(), ..schedule("cron: '@daily'") };
        state.take_over(Some(&Arc::new(CronConfig { timezone: None, schedules: vec![one] })), now);
    }
    assert_eq!(state.away.len(), MOST_REMEMBERED);
    state.take_over(None, now.checked_add(REMEMBERED).unwrap());
    assert_eq!(state.away.len(), MOST_REMEMBERED);
    state.take_over(None, now.checked_add(REMEMBERED * 3).unwrap());
    assert_eq!(state.away.len(), 0);
}
