//! What somebody meets who has just begun: an empty folder, a slip of the pen, a name that is not found.

use std::{fs, path::Path};

use crate::support::{Project, Server};

const PIPELINE: &str = "\
name: publish
steps:
  - {id: draft, employee: writer, args: {topic: $topic}}
  - {employee: checker, approval: Publish it?, args: {text: '{prev}'}}
";

#[test]
fn what_is_written_at_work_is_kept_out_of_git_from_the_beginning() {
    let project = Project::empty();
    let written = project.run(["init"]).success();
    assert!(written.contains("written .crew/.gitignore"), "{written}");
    let ignored = project.read(".crew/.gitignore");
    for name in
        ["/webhook-secret", "/tasks.jsonl*", "/outbox.jsonl*", "/deliveries.jsonl*", "/cron-state.json*"]
    {
        assert!(ignored.lines().any(|line| line == name), "{name} is not in {ignored}");
    }
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(".crew/.gitignore");
    assert_eq!(ignored, fs::read_to_string(sample).unwrap());

    project.write(".crew/.gitignore", "/mine\n");
    project.run(["init"]).success();
    assert_eq!(project.read(".crew/.gitignore"), "/mine\n");
}

#[test]
fn a_folder_that_cannot_be_made_says_why() {
    let project = Project::empty();
    project.write("private", "a file");
    let said = project.run(["init", "--employee", "poet"]).status(1);
    assert!(said.contains("private/employees`") && said.contains(": Not a directory (os error"), "{said}");
}

#[test]
fn a_run_that_leaves_no_record_says_so() {
    let project = Project::small("echo");
    project.write(".crew/sessions", "a file");
    let ended = project.run(["run", "writer", "tea", "-x"]);
    assert!(ended.stderr.contains("the session of a run could not be written"), "{}", ended.stderr);
    assert!(ended.success().contains("tea"));
}

#[test]
fn whoever_asks_for_what_has_errors_is_told_where() {
    let project = Project::small("echo");
    project.write(".crew/employees/poet.md", "---\nname: poet\ndescription: writes\n");
    project.write(".crew/pipelines/流程.yaml", "name: 流程\nsteps: 写\n");
    for (words, file) in [
        (["run", "poet"].as_slice(), ".crew/employees/poet.md"),
        (&["show", "poet"], ".crew/employees/poet.md"),
        (&["pipeline", "run", "流程"], ".crew/pipelines/流程.yaml"),
        (&["plan", "流程"], ".crew/pipelines/流程.yaml"),
    ] {
        let said = project.run(words).status(1);
        assert!(said.contains(&format!("not found; `{file}` has errors")), "{said}");
    }
}

#[test]
fn who_is_asked_for_by_the_name_that_lists_show_is_told() {
    let project = Project::empty();
    project.write(
        ".crew/employees/critic.md",
        "---\nname: critic\ndisplay_name: 评论员\ndescription: 评论\nmodel: echo\n---\n评论\n",
    );
    let said = project.run(["run", "评论员"]).status(1);
    assert!(said.contains("did you mean `critic`?"), "{said}");
}

#[tokio::test]
async fn a_server_without_routes_asks_for_no_secret() {
    let server = Server::start(&Project::small("echo"), &[], &[]);
    let said = server.log();
    assert!(said.contains("GitHub webhook off: routes are written in .crew/webhook.yaml"), "{said}");
}

#[test]
fn nothing_is_printed_where_there_are_no_schedules() {
    let ended = Project::empty().run(["cron", "preview"]);
    assert!(ended.stderr.contains("There are no schedules"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
}

#[test]
fn a_pipeline_shows_where_a_person_is_asked() {
    let project = Project::small("echo");
    project.write(".crew/pipelines/publish.yaml", PIPELINE);
    let shown = project.run(["pipeline", "show", "publish"]).success();
    assert!(shown.contains("2. checker once approved: \"Publish it?\" (text={prev})"), "{shown}");
}

#[test]
fn help_tells_the_options_of_a_command_before_those_of_all() {
    let project = Project::empty();
    let help = project.run(["task", "resume", "--help"]).success();
    let place = |word: &str| help.find(word).unwrap_or_else(|| panic!("no {word} in {help}"));
    assert!(
        place("--no-fail-fast") < place("--project-dir") && place("--format") < place("--help"),
        "{help}"
    );
    // It has no `--execute`.
    assert!(!help.contains("--execute"), "{help}");
    let said = project.run(["memory", "feedback", "writer", "1"]).status(2);
    assert!(said.contains("<--useful|--not-useful>"), "{said}");
}
