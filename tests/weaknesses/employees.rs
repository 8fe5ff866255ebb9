//! A2: how employees are read and written.

use std::fs;

use serde_json::{Value, json};

use super::{codes, employee, json, with_worker};
use crate::support::Project;

/// A2.1: what is reported as found is what is found, and a trigger that is somebody's name is told.
#[test]
fn a2_01_a_trigger_leads_where_the_report_says() {
    let project = Project::empty();
    project.write(".crew/employees/low.md", &employee("low", "triggers: [go]\n", "Work."));
    project.write("private/employees/high.md", &employee("high", "triggers: [go, low]\n", "Work."));
    assert_eq!(json(project.run(["show", "go", "--json"]))["name"], "high");
    assert_eq!(json(project.run(["show", "low", "--json"]))["name"], "low");
    let told = project.run(["check"]).stderr;
    assert!(told.contains("the trigger `go` leads to the employee `high`"), "{told}");
    assert!(told.contains("the trigger `low` leads to the employee `low`"), "{told}");
}

/// A2.2, C5.5: what is written is YAML, whatever the texts hold.
#[test]
fn a2_02_what_is_exported_can_be_read() {
    let fields =
        "display_name: '[x] # y'\nargs:\n  - {name: a, required: true}\n  - {name: b, default: '1: 2'}\n";
    let project = Project::empty();
    let text =
        employee("worker", fields, "Do $a and $b.").replace("description: Works", "description: 'a: b # c'");
    project.write("private/employees/worker.md", &text);
    for target in ["skills", "agents"] {
        let before = json(project.run(["catalog", "show", "worker"]));
        project.run(["export", "worker", "--target", target]).success();
        let copy = Project::empty();
        fs::rename(project.path().join(".claude"), copy.path().join(".claude")).unwrap();
        let after = json(copy.run(["catalog", "show", "worker"]));
        for field in ["description", "display_name", "args", "body", "model"] {
            assert_eq!(before[field], after[field], "{target}: {field}");
            assert!(!before[field].is_null(), "{field}");
        }
    }
}

/// A2.3: any script in triggers.
#[test]
fn a2_03_a_trigger_may_be_chinese() {
    let project = with_worker("triggers: [审查, 创建员工]\n", "Work.");
    assert_eq!(json(project.run(["show", "创建员工", "--json"]))["name"], "worker");
    assert!(codes(&project).is_empty());
}

/// A2.9: a version is raised in its place; a pre-release has one too; the hash knows the names of files.
#[test]
fn a2_09_raising_a_version_keeps_everything_else() {
    let project = Project::empty();
    let yaml = "# who\nname:   'worker'  # the name\ndescription: >-\n  Works\n  hard\ntags: &t [a, \"b\"]\ndomains: *t\n\
                version: 1.0.0-rc1 # soon\n";
    let file = "private/employees/worker/employee.yaml";
    project.write(file, yaml);
    project.write("private/employees/worker/prompt.md", "Work.\n");
    project.write("private/employees/worker/workflows/a.md", "One.\n");
    project.run(["bump", "worker"]).success();
    let text = project.read(file);
    let (hash, kept) = text.lines().partition::<Vec<_>, _>(|line| line.starts_with("_content_hash"));
    assert_eq!(kept.join("\n") + "\n", yaml.replace("1.0.0-rc1", "\"1.0.0\""));
    assert_eq!(hash.len(), 1);
    // Nothing changed since.
    project.run(["bump", "worker"]).success();
    assert_eq!(project.read(file), text);
    // A file that is called something else is a change.
    fs::rename(
        project.path().join("private/employees/worker/workflows/a.md"),
        project.path().join("private/employees/worker/workflows/b.md"),
    )
    .unwrap();
    assert_eq!(json(project.run(["bump", "worker", "--json"]))["version"], "1.0.1");
}

/// A2.9: also when all fields are on one line.
#[test]
fn a2_09_a_definition_on_one_line_stays_one() {
    let project = Project::empty();
    let file = "private/employees/worker/employee.yaml";
    project.write(file, "{name: worker, description: Works}\n");
    project.write("private/employees/worker/prompt.md", "Work.\n");
    assert_eq!(json(project.run(["bump", "worker", "--json"]))["version"], "1.0.1");
    assert_eq!(
        json(project.run(["catalog", "show", "worker"]))["version"],
        "1.0.1",
        "{}",
        project.read(file)
    );
}

/// A2.10: two of one name in one place are told; the name of a file decides nothing.
#[test]
fn a2_10_the_same_name_twice_is_told() {
    let project = Project::empty();
    project.write(".crew/employees/a/employee.yaml", "name: a\ndescription: A folder\n");
    project.write(".crew/employees/a/prompt.md", "Work.\n");
    project.write(".crew/employees/a.md", &employee("b", "", "Work."));
    project.write(".crew/employees/z.md", &employee("b", "", "Work."));
    assert_eq!(codes(&project), ["duplicate-employee"]);
    let list = json(project.run(["list", "--json"]));
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
}

/// A2.11: a snapshot stays what it was when the files change.
#[tokio::test]
async fn a2_11_a_snapshot_does_not_change() {
    let project = with_worker("", "Work.");
    let catalog = crew::catalog::Catalog::open(project.path().to_owned());
    let before = catalog.current().await;
    project.write(".crew/employees/other.md", &employee("other", "", "Work."));
    assert!(catalog.refresh().await);
    // Whoever asks now gets the new state; whoever holds the old one keeps it.
    assert_eq!((before.employees.len(), catalog.current().await.employees.len()), (1, 2));
}

/// A2.12, C5.20: how an employee prepares is read, and used.
#[test]
fn a2_12_how_an_employee_prepares_is_read() {
    let project = with_worker("research_instructions: Count the stars.\n", "Work.");
    assert_eq!(json(project.run(["catalog", "show", "worker"]))["research_instructions"], "Count the stars.");
    project.write(".crew/employees/other.md", &employee("other", "", "Work."));
    let plan = json(project.run(["discuss", "adhoc", "-e", "worker,other", "-t", "x", "--orchestrated"]));
    assert_eq!(plan["rounds"][0]["round_number"], 0);
    assert!(plan["rounds"][0].to_string().contains("Count the stars."), "{plan}");
}

/// A2.13: nothing is absent, a wrong type is an error, whatever the field.
#[test]
fn a2_13_types_are_judged_alike() {
    let project = with_worker("tags:\ntriggers: ~\nfallback_model:\n", "Work.");
    assert!(codes(&project).is_empty());
    let shown = json(project.run(["catalog", "show", "worker"]));
    assert_eq!((&shown["tags"], &shown["fallback_model"]), (&json!([]), &Value::Null));
    for field in
        ["tags: x", "tools: x", "context: x", "args: x", "output: x", "summary: [x]", "triggers: {a: b}"]
    {
        let project = with_worker(&format!("{field}\n"), "Work.");
        assert_eq!(codes(&project), ["wrong-type"], "{field}");
    }
}

/// A2.14: what an older program left in a comment, and lists of tools in every form.
#[test]
fn a2_14_skills_are_read_as_they_are_written() {
    let project = Project::empty();
    let skill = |tools: &str, body: &str| {
        format!("---\nname: s\ndescription: x\nallowed-tools: {tools}\n---\n\n{body}\n")
    };
    let tools = ["Read, Grep", "[Read, Grep]", "Read Grep", "\n  - Read\n  - Grep"];
    for tools in tools {
        project.write(".claude/skills/s/SKILL.md", &skill(tools, "Work."));
        assert_eq!(
            json(project.run(["catalog", "show", "s"]))["tools"],
            json!(["file_read", "grep"]),
            "{tools}"
        );
    }
    let comments = [
        ("{\"summary\": \"a --> b\", \"version\": 2}", json!("a --> b")),
        ("[1, 2]", json!("")),
        ("{\"summary\": 5}", json!("5")),
        ("{broken", json!("")),
    ];
    for (comment, summary) in comments {
        let body = format!("<!-- knowlyr-crew metadata\n{comment}\n-->\n\nWork.");
        project.write(".claude/skills/s/SKILL.md", &skill("Read", &body));
        let shown = json(project.run(["catalog", "show", "s"]));
        assert!(shown["body"].as_str().unwrap().ends_with("Work."), "{comment}: {shown}");
        assert_eq!(shown["summary"], summary, "{comment}");
    }
}

/// A2.15, C5.4: `sync` touches nothing that it did not write.
#[test]
fn a2_15_sync_leaves_the_files_of_others_alone() {
    let project = with_worker("", "Work.");
    let mine =
        project.write(".claude/skills/mine/SKILL.md", "---\nname: mine\ndescription: x\n---\n\nMine.\n");
    let broken = project.write(".claude/skills/broken/SKILL.md", "no front matter");
    let before = (fs::read(&mine).unwrap(), fs::read(&broken).unwrap());
    project.run(["sync", "--clean"]).success();
    assert!(project.path().join(".claude/skills/worker/SKILL.md").is_file());
    fs::remove_file(project.path().join(".crew/employees/worker.md")).unwrap();
    project.write(".crew/employees/next.md", &employee("next", "", "Work."));
    project.run(["sync", "--clean"]).success();
    assert_eq!((fs::read(&mine).unwrap(), fs::read(&broken).unwrap()), before);
    assert!(!project.path().join(".claude/skills/worker").is_dir(), "what it wrote, it removes");
    assert!(project.path().join(".claude/skills/next/SKILL.md").is_file());
}

/// A2.16: a manifest is read, not searched.
#[test]
fn a2_16_a_project_is_what_its_manifests_say() {
    let tell = |files: &[(&str, &str)]| {
        let project = with_worker("", "{project_type}/{framework}/{test_framework}/{package_manager}");
        for (name, text) in files {
            project.write(name, text);
        }
        project.run(["run", "worker", "--raw"]).success().trim_end().to_owned()
    };
    let toml = "[project]\nname = 'x'\ndescription = 'not django, no ruff, no pytest'\ndependencies = ['fastapi>=1']\n";
    assert_eq!(tell(&[("pyproject.toml", toml), ("uv.lock", "")]), "python/fastapi/unittest/uv");
    assert_eq!(tell(&[("requirements.txt", "flask==3\npytest\n")]), "python/flask/pytest/pip");
    assert_eq!(tell(&[("package.json", "{\"dependencies\": null}")]), "nodejs///npm");
    assert_eq!(tell(&[("package.json", "[1]")]), "nodejs///npm");
    let vite = "{\"devDependencies\": {\"vitest\": \"1\", \"next\": \"1\"}}";
    assert_eq!(tell(&[("package.json", vite), ("bun.lock", "")]), "nodejs/nextjs/vitest/bun");
    let gradle = tell(&[("build.gradle.kts", "plugins { kotlin(\"jvm\") }")]);
    assert!(gradle.ends_with("/gradle"), "{gradle}");
    // No UTF-8 is no reason to stop.
    let project = with_worker("", "{project_type}");
    fs::write(project.path().join("pyproject.toml"), b"\xff\xfe").unwrap();
    assert_eq!(project.run(["run", "worker", "--raw"]).success(), "python\n");
}

/// A2.17, C5.3: what comes of a template is a definition, whatever it is filled with.
#[test]
fn a2_17_templates_know_yaml() {
    let project = Project::empty();
    project.write(".crew/templates/.hidden.md", "x");
    let list = json(project.run(["template", "list", "--json"]));
    assert!(!list.to_string().contains("hidden"), "{list}");
    for (name, value) in [("a", "foo: bar"), ("b", "[x] # y"), ("c", "审查：代码"), ("d", "- \"'")] {
        let var = format!("description={value}");
        project.run(["template", "apply", "advanced-employee", "--employee", name, "--var", &var]).success();
        assert_eq!(json(project.run(["catalog", "show", name]))["description"], value);
    }
    assert!(codes(&project).is_empty());
    let outside = ["template", "apply", "advanced-employee", "--employee", "../x"];
    project.run(outside).status(2);
    project
        .run([
            "template",
            "apply",
            "advanced-employee",
            "--employee",
            "x",
            "--var",
            "name=../../x",
            "-o",
            "../x.md",
        ])
        .status(1);
}

/// A2.20: rendering a prompt remembers nothing. See also `cli::reading_leaves_nothing_behind`.
#[test]
fn a2_20_a_prompt_leaves_nothing_behind() {
    let project = with_worker("auto_memory: true\n", "Work.");
    let before = project.tree();
    let first = project.run(["run", "worker"]).success();
    assert_eq!(project.run(["run", "worker"]).success(), first);
    assert_eq!(project.tree(), before);
}

/// C5.2: a name that would lead elsewhere, or that nothing accepts later, is refused before anything is written.
#[test]
fn c5_02_names_are_checked_before_files_are_made() {
    let project = Project::empty();
    for name in ["../evil", "Bad Name", "a/b", "", ".", "-x", "名字", "x\n"] {
        for more in [&[][..], &["--dir-format"]] {
            let words = [&["init", "--employee", name], more].concat();
            project.run(words).status(2);
        }
    }
    assert!(project.tree().is_empty(), "{:?}", project.tree().keys());
}
