use std::fs;

use super::*;

const OLD: &str = concat!(
    r#"{"timestamp":"2025-01-02T03:04:05.000001","employee_name":"reviewer","action":"session_start","detail":"","args":{"target":"src"},"agent_id":null,"severity":"info","metrics":{},"links":[]}"#,
    "\nnonsense\n",
    r#"{"timestamp":"2025-01-02T03:04:06","employee_name":"reviewer","action":"found","detail":"x","severity":"fatal","metrics":{"n":1}}"#,
    "\n\n",
    r#"{"timestamp":"2025-01-02T03:04:07","employee_name":"tester","action":"found","severity":"critical","args":null}"#,
    "\n",
);

const SESSION: &str = concat!(
    r#"{"event":"start","timestamp":"2026-01-02T03:04:05Z","session_type":"pipeline","subject":"review","metadata":{"trigger":"cli","args":["key"]}}"#,
    "\n",
    r#"{"event":"message","timestamp":"2026-01-02T03:04:06Z","role":"assistant","content":"one\n\ntwo","metadata":{"employee":"reviewer","step_id":"a","model":"m","input_tokens":3,"error_message":""}}"#,
    "\n",
    r#"{"event":"message","timestamp":"2026-01-02T03:04:06Z","role":"assistant","content":"","metadata":{"employee":"tester","step_id":"b","error_message":"no answer"}}"#,
    "\n",
    r#"{"event":"end","timestamp":"2026-01-02T03:04:07Z","status":"completed","detail":"","metadata":{"calls":2,"spent":[]}}"#,
    "\n",
);

fn records() -> (tempfile::TempDir, Records) {
    let root = tempfile::tempdir().unwrap();
    for (folder, name, text) in [
        (FOLDER, "20250102-030405-abcdef12.jsonl", OLD.to_owned()),
        (FOLDER, "notes.txt", OLD.to_owned()),
        (".crew/sessions", "task1.jsonl", SESSION.to_owned()),
        (
            ".crew/sessions",
            "task2.jsonl",
            SESSION.replace("completed", "failed").replace("2026-01", "2026-02"),
        ),
        // One of the predecessor has a log of its own.
        (".crew/sessions", "20250102-030405-11111111.jsonl", SESSION.replace("\"trigger\":\"cli\",", "")),
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
        fs::write(root.path().join(folder).join(name), text).unwrap();
    }
    let records = Records::of(root.path());
    (root, records)
}

#[test]
fn logs_are_told_from_sessions_and_read_from_files() {
    let (_root, records) = records();
    let list = |filter: LogFilter| -> Vec<String> {
        let rows =
            records.logs(&LogFilter { limit: if filter.limit == 0 { 10 } else { filter.limit }, ..filter });
        rows.into_iter().map(|row| row.session_id).collect()
    };
    let old = "20250102-030405-abcdef12";
    assert_eq!(list(LogFilter::default()), ["task2", "task1", old]);
    assert_eq!(list(LogFilter { limit: 1, ..LogFilter::default() }), ["task2"]);
    let of = |name: &str| list(LogFilter { names: vec![name.to_owned()], ..LogFilter::default() });
    assert_eq!(
        (of("tester").len(), of("pipeline:review"), of("nobody").len()),
        (3, vec!["task2".to_owned(), "task1".to_owned()], 0)
    );
    let as_bad = |severity| list(LogFilter { severity: Some(severity), ..LogFilter::default() });
    assert_eq!(as_bad(Severity::Critical), ["task2", old]);
    let since = LogFilter { since: "2026-01-15T00:00:00Z".parse().ok(), ..LogFilter::default() };
    assert_eq!(list(since), ["task2"]);
    let row = &records.logs(&LogFilter { limit: 3, ..LogFilter::default() })[1];
    assert_eq!(
        (row.employee_name.as_str(), row.entries, row.severity),
        ("pipeline:review", 4, Severity::Warning)
    );
    assert_eq!(row.by_employee["tester"], Counts { warning: 1, ..Counts::default() });
}

#[test]
fn a_log_tells_what_was_done() {
    let (_root, records) = records();
    let log = records.log("task1", 10).unwrap();
    let told: Vec<_> =
        log.log.iter().map(|entry| (entry.action.as_str(), entry.detail.as_str(), entry.severity)).collect();
    assert_eq!(
        told,
        [
            ("session_start", "pipeline review, begun by cli", Severity::Info),
            ("answered", "a: one two", Severity::Info),
            ("failed", "b: no answer", Severity::Warning),
            ("session_end", "completed", Severity::Info),
        ]
    );
    assert_eq!((&log.log[1].metrics["input_tokens"], log.row.entries), (&3.into(), 4));
    assert!(!log.log[3].metrics.contains_key("spent"));
    let old = records.log("20250102-030405-abcdef12", 10).unwrap();
    assert_eq!((old.log.len(), &old.log[0].args["target"]), (3, &"src".into()));
    assert_eq!(old.row.severity, Severity::Critical);
    assert!(old.notes[0].starts_with("line 2 cannot be read"), "{:?}", old.notes);
    assert!(
        old.notes[1].starts_with("line 3: there is no severity `fatal`, only info, warning"),
        "{:?}",
        old.notes
    );
    let last = records.log("20250102-030405-abcdef12", 1).unwrap();
    assert_eq!((last.log.len(), last.row.entries), (1, 3));
    for id in ["../sessions/task1", "20250102-030405-11111111", "notes", "", "task1.jsonl", "none"] {
        assert!(matches!(records.log(id, 10), Err(Error::UnknownLog { .. })), "{id}");
    }
}
