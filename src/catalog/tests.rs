//! The catalog against real folders.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::defs::Severity;

/// A project made of files.
struct Sample(TempDir);

impl Sample {
    fn new(files: &[(&str, &str)]) -> Self {
        let sample = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            sample.write(path, text.as_bytes());
        }
        sample
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn load(&self) -> Snapshot {
        load::load(self.0.path(), None, &Cache::default(), None).0
    }
}

fn employee(name: &str, more: &str) -> String {
    format!("---\nname: {name}\ndescription: About {name}\n{more}---\nYou are {name}.\n")
}

fn lines(snapshot: &Snapshot) -> String {
    let lines = snapshot.findings.iter().map(|finding| {
        let help = finding.diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}{help}", finding.diagnostic)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_crew_is_in_order() {
    let snapshot = load::load(Path::new(env!("CARGO_MANIFEST_DIR")), None, &Cache::default(), None).0;
    assert_eq!(lines(&snapshot), "");
    assert!(snapshot.employees.len() >= 4 && snapshot.pipelines.len() >= 2);
    assert!(snapshot.webhook.is_some() && snapshot.cron.is_some());
    assert_eq!(snapshot.employee("代码审查").unwrap().employee.name, "code-reviewer");
    let reviewer = &snapshot.employee("code-reviewer").unwrap().employee;
    let adaptors: Vec<_> = reviewer.adaptors.iter().map(|adaptor| adaptor.name.as_str()).collect();
    assert_eq!(adaptors, ["nodejs", "python", "rust"]);
    assert_eq!(snapshot.project.display_label(), "Rust (Axum)");
}

#[test]
fn nothing_there_is_nothing_wrong() {
    let snapshot = load::load(Path::new("/no/such/folder"), None, &Cache::default(), None).0;
    assert_eq!(lines(&snapshot), "");
    assert!(snapshot.employees.is_empty());
    assert_eq!(snapshot.project.display_label(), "unknown");
}

#[test]
fn a_broken_file_hides_no_other() {
    let sample = Sample::new(&[
        (".crew/employees/a.md", &employee("a", "")),
        (".crew/employees/b.md", "no front matter"),
        (".crew/employees/_draft.md", "no front matter"),
        (".crew/employees/README.md", "no front matter"),
        (".crew/employees/.hidden.md", "no front matter"),
        (".crew/employees/notes.txt", "no front matter"),
        (".crew/employees/empty/notes.md", "no employee"),
    ]);
    sample.write(".crew/employees/latin.md", b"---\nname: caf\xe9\n");
    sample.write(".crew/employees/large.md", &vec![b'x'; 1024 * 1024 + 1]);
    sample.write(".crew/employees/zero.md", b"");
    let snapshot = sample.load();
    assert_eq!(snapshot.employee_names().collect::<Vec<_>>(), ["a"]);
    insta::assert_snapshot!(lines(&snapshot), @r#"
    .crew/employees/b.md:1:1: error[missing-front-matter]: the file does not begin with front matter (begin with a line `---`, then `name:` and `description:`, then another line `---`)
    .crew/employees/large.md: error[file-too-large]: this file is larger than 1 MiB
    .crew/employees/latin.md: error[not-utf8]: this file is not UTF-8 from line 2 on
    .crew/employees/zero.md:1:1: error[missing-front-matter]: the file does not begin with front matter (begin with a line `---`, then `name:` and `description:`, then another line `---`)
    "#);
}

#[test]
fn the_higher_layer_goes_before_the_lower() {
    let sample = Sample::new(&[
        (".crew/employees/both.md", &employee("both", "triggers: [x]\n")),
        (".crew/employees/low.md", &employee("low", "triggers: [t, high, only-low]\n")),
        (".crew/employees/later.md", &employee("zz-later", "triggers: [u]\ncharacter_name: 小后\n")),
        (".crew/employees/earlier.md", &employee("earlier", "triggers: [u]\n")),
        ("private/employees/both.md", &employee("both", "triggers: [y]\n")),
        ("private/employees/high.md", &employee("high", "triggers: [t]\n")),
    ]);
    let snapshot = sample.load();
    let name = |word: &str| snapshot.employee(word).map(|entry| entry.employee.name.clone());
    assert_eq!(snapshot.employees["both"].layer, Layer::Private);
    assert_eq!(name("t").as_deref(), Some("high"));
    assert_eq!(name("high").as_deref(), Some("high"));
    assert_eq!(name("only-low").as_deref(), Some("low"));
    assert_eq!(name("u").as_deref(), Some("zz-later"));
    assert_eq!(name("小后").as_deref(), Some("zz-later"));
    assert_eq!(name("x"), None, "the employee with this trigger is hidden");
    let conflicts: Vec<_> = snapshot
        .conflicts
        .iter()
        .map(|conflict| format!("{}: {} over {}", conflict.name, conflict.winner, conflict.loser))
        .collect();
    insta::assert_snapshot!(conflicts.join("\n"), @r#"
    both: private:private/employees/both.md over project:.crew/employees/both.md
    t: private:private/employees/high.md over project:.crew/employees/low.md
    high: private:private/employees/high.md over project:.crew/employees/low.md
    u: project:.crew/employees/later.md over project:.crew/employees/earlier.md
    "#);
    insta::assert_snapshot!(lines(&snapshot), @r#"
    .crew/employees/both.md:2:7: warning[shadowed-employee]: `both` is hidden by the employee in `private/employees/both.md`
    .crew/employees/earlier.md:4:12: warning[shadowed-trigger]: the trigger `u` leads to the employee `zz-later`
    .crew/employees/low.md:4:12: warning[shadowed-trigger]: the trigger `t` leads to the employee `high`
    .crew/employees/low.md:4:15: warning[shadowed-trigger]: the trigger `high` leads to the employee `high`
    "#);
}

#[test]
fn a_folder_goes_before_a_file() {
    let sample = Sample::new(&[
        (".crew/employees/a.md", &employee("twin", "")),
        (".crew/employees/z/employee.yaml", "name: twin\ndescription: A folder\n"),
        (".crew/employees/z/prompt.md", "From the folder."),
    ]);
    let snapshot = sample.load();
    assert_eq!(snapshot.employees["twin"].employee.body, "From the folder.");
    assert_eq!(snapshot.employees["twin"].path, ".crew/employees/z");
    insta::assert_snapshot!(lines(&snapshot), @r#"
    .crew/employees/a.md:2:7: error[duplicate-employee]: `twin` is already the employee in `.crew/employees/z`
    "#);
}

#[test]
#[cfg(unix)]
fn links_do_not_lead_out() {
    use std::os::unix::fs::symlink;

    let outside =
        Sample::new(&[("secret.md", &employee("secret", "")), ("employees/x.md", &employee("x", ""))]);
    let sample = Sample::new(&[(".crew/employees/a.md", &employee("a", ""))]);
    let folder = sample.0.path().join(".crew/employees");
    symlink(outside.0.path().join("secret.md"), folder.join("b.md")).unwrap();
    symlink("a.md", folder.join("c.md")).unwrap();
    symlink("nowhere.md", folder.join("d.md")).unwrap();
    symlink("e.md", folder.join("e.md")).unwrap();
    fs::create_dir_all(sample.0.path().join("private")).unwrap();
    symlink(outside.0.path().join("employees"), sample.0.path().join("private/employees")).unwrap();
    let snapshot = sample.load();
    assert_eq!(snapshot.employee_names().collect::<Vec<_>>(), ["a"]);
    let found = lines(&snapshot);
    insta::assert_snapshot!(found, @r#"
    .crew/employees/b.md: error[outside-project]: this is a link out of `.crew/employees`, and is not followed
    .crew/employees/c.md:2:7: error[duplicate-employee]: `a` is already the employee in `.crew/employees/a.md`
    .crew/employees/d.md: error[unreadable-file]: this cannot be read: No such file or directory (os error 2)
    .crew/employees/e.md: error[unreadable-file]: this cannot be read: Too many levels of symbolic links (os error 40)
    private/employees: error[outside-project]: this is a link out of the project, and is not followed
    "#);
}

#[test]
fn pipelines_are_checked_against_employees() {
    let sample = Sample::new(&[
        (".crew/employees/a.md", &employee("a", "triggers: [甲]\nargs: [{name: target, required: true}]\n")),
        (".crew/pipelines/good.yaml", "steps:\n  - employee: 甲\n    args: {target: $target}\n"),
        (".crew/pipelines/named.yml", "name: 好\nsteps:\n  - employee: a\n    args: {target: x}\n"),
        (".crew/pipelines/bad.yaml", "steps:\n  - employee: aa\n  - employee: a\n    args: {tarjet: x}\n"),
        (".crew/pipelines/named.yaml", "steps:\n  - employee: a\n    args: {target: x}\n"),
        (".crew/webhook.yaml", "routes:\n  - {event: push, target: {type: pipeline, name: bad}}\n"),
        (
            ".crew/cron.yaml",
            "schedules:\n  - {name: s, cron: '@daily', target_type: employee, target_name: b}\n  - {name: t, cron: '@daily', target_type: pipeline, target_name: goood}\n",
        ),
    ]);
    let snapshot = sample.load();
    assert_eq!(snapshot.pipeline_names().collect::<Vec<_>>(), ["good", "named"]);
    assert!(snapshot.webhook.is_some() && snapshot.cron.is_some());
    assert!(snapshot.findings.iter().any(|finding| finding.diagnostic.severity == Severity::Error));
    insta::assert_snapshot!(lines(&snapshot), @r#"
    .crew/cron.yaml:2:67: error[unknown-target]: there is no usable employee `b`
    .crew/cron.yaml:3:67: error[unknown-target]: there is no usable pipeline `goood` (did you mean `good`?)
    .crew/pipelines/bad.yaml:2:15: error[unknown-employee]: there is no employee `aa` (did you mean `a`?)
    .crew/pipelines/bad.yaml:3:15: error[missing-arg]: `a` needs the argument `target` (add `target: …` under `args`; `$target` hands on what the pipeline is given)
    .crew/pipelines/bad.yaml:4:20: warning[unknown-arg]: `a` takes no argument `tarjet` (did you mean `target`?)
    .crew/pipelines/named.yml: error[duplicate-pipeline]: `.crew/pipelines/named.yaml` is already the pipeline `named`
    .crew/webhook.yaml:2:50: error[unknown-target]: there is no usable pipeline `bad`
    "#);
}

#[tokio::test]
async fn is_read_once_and_again_after_a_change() {
    let sample = Sample::new(&[(".crew/employees/a.md", &employee("a", ""))]);
    let catalog = Catalog::open(sample.0.path().to_owned());
    assert!(catalog.snapshot().employees.is_empty(), "nothing is read yet");
    let first = catalog.current().await;
    assert!(!catalog.refresh().await);
    assert!(Arc::ptr_eq(&first, &catalog.snapshot()));
    sample.write(".crew/employees/b.md", employee("b", "").as_bytes());
    assert!(catalog.refresh().await);
    assert_eq!(catalog.snapshot().employees.len(), 2);
    assert_eq!(first.employees.len(), 1);
    fs::remove_file(sample.0.path().join(".crew/employees/a.md")).unwrap();
    assert!(catalog.refresh().await);
    sample.write("package.json", b"{}");
    assert!(catalog.refresh().await);
    assert_eq!(catalog.current().await.project.project_type, ProjectType::Nodejs);
}

/// A file is empty for a moment while some programs write it, and for longer when the disk is full.
#[tokio::test]
async fn what_a_file_said_holds_while_it_is_empty_or_wrong() {
    let files = [
        (
            ".crew/webhook.yaml",
            "github_secret: ${S}\nroutes: [{event: push, target: {type: employee, name: a}}]\n",
        ),
        (
            ".crew/cron.yaml",
            "schedules: [{name: s, cron: '@daily', target_type: employee, target_name: a}]\n",
        ),
        (
            ".crew/config.yaml",
            "budget: {max_cost: 1}\ndestinations: {me: {type: webhook, url: 'https://a.example'}}\n",
        ),
        (".crew/mcp_servers.yaml", "servers: {web: {url: 'https://a.example/mcp'}}\n"),
    ];
    let sample = Sample::new(&[(".crew/employees/a.md", &employee("a", ""))]);
    let said = |snapshot: &Snapshot| {
        (
            snapshot.webhook.as_ref().map_or(0, |webhook| webhook.routes.len()),
            snapshot.cron.as_ref().map_or(0, |cron| cron.schedules.len()),
            (snapshot.destinations.len(), snapshot.budget.max_cost.is_some()),
            snapshot.mcp_servers.servers.len(),
        )
    };
    let all = (1, 1, (1, true), 1);
    let write = |text: Option<&str>| {
        for (path, whole) in &files {
            sample.write(path, text.unwrap_or(whole).as_bytes());
        }
    };
    write(Some(""));
    let catalog = Catalog::open(sample.0.path().to_owned());
    assert_eq!(said(&*catalog.current().await), (0, 0, (0, false), 0));
    assert_eq!(lines(&catalog.snapshot()), "", "a file that never said anything may be empty");
    for (text, told) in [("", "error[emptied-file]"), ("typo: [", "error[")] {
        write(None);
        assert!(catalog.refresh().await);
        assert_eq!((said(&catalog.snapshot()), lines(&catalog.snapshot())), (all, String::new()));
        write(Some(text));
        assert!(catalog.refresh().await);
        assert_eq!(said(&catalog.snapshot()), all, "{text}");
        assert_eq!(lines(&catalog.snapshot()).matches(told).count(), files.len(), "{text}");
    }
    for (path, _) in files {
        fs::remove_file(sample.0.path().join(path)).unwrap();
    }
    assert!(catalog.refresh().await);
    assert_eq!(said(&catalog.snapshot()), (0, 0, (0, false), 0), "to remove it is to say that it is over");
}
