use std::{fs, thread};

use super::*;
use crate::engine::memory::{Memory, Settings};

fn opened() -> (tempfile::TempDir, Evaluations) {
    let folder = tempfile::tempdir().unwrap();
    let evaluations = Evaluations::open(folder.path());
    (folder, evaluations)
}

fn estimate(employee: &str, content: &str) -> New {
    New::estimate(employee, content)
}

fn came(actual: &str) -> Outcome {
    Outcome { actual_outcome: actual.to_owned(), ..Outcome::default() }
}

fn evaluate(evaluations: &Evaluations, id: &str, outcome: &Outcome) -> Result<(Decision, bool), Error> {
    evaluations.evaluate(id, outcome, |decision, is_new| (decision.clone(), is_new))
}

#[test]
fn an_evaluation_is_a_version_and_the_same_twice_is_one() {
    let (_folder, evaluations) = opened();
    let id = evaluations.track(&estimate("ann", "needs 2 days")).unwrap().id;
    assert!(id.starts_with('D') && id.len() == 9, "{id}");
    let (first, is_new) = evaluate(&evaluations, &id, &came("5 days")).unwrap();
    assert!(is_new && first.history.is_empty());
    let (again, is_new) = evaluate(&evaluations, id.get(..6).unwrap(), &came(" 5 days ")).unwrap();
    assert_eq!((again, is_new), (first.clone(), false));
    let second = Outcome { score: Some(0.5), lesson: "ask first".to_owned(), ..came("6 days") };
    let (second, _) = evaluate(&evaluations, &id, &second).unwrap();
    assert_eq!((&second.history, second.outcome.score), (&vec![first.outcome], Some(0.5)));
    assert_eq!(*evaluations.get(&id).unwrap(), second);
    assert_eq!(evaluations.list(&Filter::default(), 10).unwrap().total, 1, "one decision, one line");
    for number in 0..MOST_VERSIONS {
        let _ = evaluate(&evaluations, &id, &came(&number.to_string()));
    }
    let refused = evaluate(&evaluations, &id, &came("once more")).unwrap_err();
    assert!(refused.to_string().contains("evaluated 50 times"), "{refused}");
}

#[test]
fn what_nobody_understands_stays_as_it_is() {
    let (folder, evaluations) = opened();
    let path = folder.path().join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let odd = "{\"id\":\"D0000000a\",\"category\":\"guess\",\"content\":\"x\"}\nnot json\n";
    let old = r#"{"id":"D0000000b","employee":"ann","meeting_id":"","created_at":"2026-01-01T00:00:00.1","category":"estimate","content":"y","expected_outcome":"","status":"pending","actual_outcome":"","evaluation":"","extra":[1]}"#;
    fs::write(&path, format!("{odd}{old}\n{{\"id\":\"torn")).unwrap();
    let (decision, _) = evaluate(&evaluations, "D0000000b", &came("z")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(odd) && text.ends_with("{\"id\":\"torn\n"), "{text}");
    assert_eq!(decision.extra["extra"], serde_json::json!([1]));
    let listed = evaluations.list(&Filter::default(), 10).unwrap();
    let lines: Vec<_> = listed.broken.iter().map(|broken| broken.line).collect();
    assert_eq!((listed.total, listed.broken_count, lines), (1, 3, vec![1, 2, 4]));
    evaluations.delete("D0000000b").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{odd}{{\"id\":\"torn\n"));
}

#[test]
fn ids_lead_to_one_decision_or_say_why_not() {
    let (folder, evaluations) = opened();
    let line = |id: &str| format!("{{\"id\":\"{id}\",\"category\":\"estimate\",\"content\":\"x\"}}\n");
    let path = folder.path().join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, line("Dabcdef01") + &line("Dabcdef02")).unwrap();
    assert_eq!(evaluations.get("Dabcdef02").unwrap().id, "Dabcdef02");
    assert!(matches!(evaluations.get("Dabcdef"), Err(Error::Unfit(_))));
    assert!(matches!(evaluations.get("Dab"), Err(Error::Unknown { .. })), "too short to stand for one");
    assert!(matches!(evaluations.get("Dabcdef03"), Err(Error::Unknown { near: Some(_), .. })));
    assert!(matches!(evaluations.get("../x"), Err(Error::Unknown { near: None, .. })));
}

#[test]
fn meetings_are_looked_for() {
    let (folder, evaluations) = opened();
    let of = |meeting: &str| New { meeting_id: meeting.to_owned(), ..estimate("ann", "x") };
    fs::create_dir_all(folder.path().join(MEETINGS)).unwrap();
    fs::write(folder.path().join(MEETINGS).join("m1.md"), "").unwrap();
    fs::write(folder.path().join("out.md"), "").unwrap();
    evaluations.track(&of("m1")).unwrap();
    for id in ["m2", "../../out", ".", "m1.md"] {
        assert!(matches!(evaluations.track(&of(id)), Err(Error::NoMeeting { .. })), "{id}");
    }
    evaluations.track(&New { unlinked: true, ..of("elsewhere") }).unwrap();
}

#[test]
fn overdue_is_what_waits_beyond_its_deadline_or_for_long() {
    let (folder, evaluations) = opened();
    let line = |id: &str, created: &str, deadline: &str, status: &str| {
        format!(
            "{{\"id\":\"{id}\",\"employee\":\"ann\",\"created_at\":\"{created}\",\"category\":\"estimate\",\"content\":\"x\",\"status\":\"{status}\",\"deadline\":\"{deadline}\"}}\n"
        )
    };
    let path = folder.path().join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines = [
        line("D1", "2026-01-01T00:00:00", "2026-01-10", "pending"),
        line("D2", "2026-01-01T00:00:00", "2026-01-09", "pending"),
        line("D3", "2026-01-01T00:00:00", "2026-01-01", "evaluated"),
        line("D4", "2026-01-01T00:00:00", "soon", "pending"),
        line("D5", "2026-01-07T00:00:00", "", "pending"),
        line("D6", "whenever", "", "pending"),
        // By its offset it is over an hour earlier than it looks.
        line("D7", "2026-01-01T00:00:00", "2026-01-10T07:30:00+08:00", "pending"),
    ];
    fs::write(path, lines.concat()).unwrap();
    let at = |moment: &str, age| {
        let found = evaluations.overdue(&Filter::default(), as_of(moment).unwrap(), age).unwrap();
        found.iter().map(|one| (one.decision.id.clone(), one.days_overdue)).collect::<Vec<_>>()
    };
    let told =
        |all: &[(&str, i64)]| all.iter().map(|(id, days)| ((*id).to_owned(), *days)).collect::<Vec<_>>();
    assert_eq!(at("2026-01-09", 30), []);
    assert_eq!(at("2026-01-10", 30), told(&[("D7", 0), ("D2", 0)]));
    assert_eq!(at("2026-01-12", 7), told(&[("D4", 4), ("D7", 2), ("D2", 2), ("D1", 1)]));
}

#[test]
fn many_write_at_once_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let root = folder.path();
            scope.spawn(move || {
                // Each with a view of its own, as processes have.
                let evaluations = Evaluations::open(root);
                for number in 0..10 {
                    let id = evaluations.track(&estimate("ann", &format!("{writer}/{number}"))).unwrap().id;
                    evaluate(&evaluations, &id, &came("y")).unwrap();
                }
            });
        }
    });
    let all = Evaluations::open(folder.path()).list(&Filter::default(), usize::MAX).unwrap();
    assert_eq!((all.total, all.broken_count), (40, 0));
    assert!(all.decisions.iter().all(|decision| decision.status == Status::Evaluated));
}

#[test]
fn an_evaluation_is_remembered_once_and_the_last_version_holds() {
    use crate::engine::memory::{Category as Kind, Clearance, Holder, Query};
    let (folder, evaluations) = opened();
    let memory = Memory::open(folder.path(), Settings::default());
    let holder = Holder::named("ann");
    let remember = |id: &str, outcome: &Outcome| {
        evaluations
            .evaluate(id, outcome, |decision, _| lesson::remember(&memory, &holder, decision).unwrap())
            .unwrap()
    };
    let held = || -> Vec<(String, String)> {
        let query = Query { category: Some(Kind::Correction), ..Query::default() };
        let found = memory.query(&holder, &query, &Clearance::open()).unwrap().entries;
        found.iter().map(|entry| (entry.source_session.clone(), entry.content.clone())).collect()
    };
    let new = New { expected_outcome: "2 天".to_owned(), ..estimate("ann", "拆分 CSS 需要 2 天") };
    let id = evaluations.track(&new).unwrap().id;
    assert_eq!(remember(&id, &came("5 天")), Remembered::Added);
    assert_eq!(remember(&id, &came("5 天")), Remembered::Known);
    let source = format!("eval:{id}");
    assert_eq!(held(), [(source.clone(), "拆分 CSS 需要 2 天: 预期: 2 天; 实际: 5 天".to_owned())]);
    let second =
        Outcome {
            evaluation: "慢了一倍多".to_owned(), lesson: "先看依赖".to_owned(), ..came("6 天")
        };
    assert_eq!(remember(&id, &second), Remembered::Corrected);
    assert_eq!(held(), [(source, "慢了一倍多; 先看依赖".to_owned())]);
}
