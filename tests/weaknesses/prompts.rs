//! A2: how prompts are rendered.

use std::fs;

use super::{employee, json, with_worker};
use crate::support::Project;

const TWO: &str = "args:\n  - name: target\n    required: true\n  - name: focus\n    default: all\n";

fn raw(project: &Project, words: &[&str]) -> String {
    let all = [&["run", "worker", "--raw"], words].concat();
    project.run(all).success().trim_end_matches('\n').to_owned()
}

/// A2.4: places are counted as numbers, and a name ends where the word does.
#[test]
fn a2_04_places_by_number_are_whole_numbers() {
    let names: Vec<String> = (0..12).map(|number| format!("<a{number}>")).collect();
    let skill = format!(
        "---\nname: s\ndescription: x\nargument-hint: {}\n---\n\n$0 $1 $10 $11 $12 costs $500\n",
        names.join(" ")
    );
    let project = Project::empty();
    project.write(".claude/skills/s/SKILL.md", &skill);
    let shown = json(project.run(["catalog", "show", "s"]));
    assert_eq!(shown["body"], "$a0 $a1 $a10 $a11 $12 costs $500");
    let project = with_worker(TWO, "$target_dir $target/x ${target}_y");
    assert_eq!(raw(&project, &["T"]), "$target_dir T/x T_y");
}

/// A2.5, C5.19: a value is text, whatever it holds.
#[test]
fn a2_05_values_are_never_expanded() {
    let project = with_worker(TWO, "$target|$focus|$1|$ARGUMENTS|{name}");
    let nasty = "$focus {cwd} {git_branch} $1 $ARGUMENTS ${target} $$";
    assert_eq!(raw(&project, &[nasty]), format!("{nasty}|all|{nasty}|{nasty} all|worker"));
    assert_eq!(raw(&project, &["--arg", "target=x$focus"]), "x$focus|all|x$focus|x$focus all|worker");
}

/// A2.6: `$10` is the tenth place or text.
#[test]
fn a2_06_a_number_that_is_no_place_stands() {
    let project = with_worker("args: [{name: a}]\n", "$1 $10 $100.50 $2");
    assert_eq!(raw(&project, &["x"]), "x $10 $100.50 $2");
}

/// A2.7: the branch is that of the project, read from its files; git is not needed.
#[test]
fn a2_07_the_branch_is_that_of_the_project() {
    let project = with_worker("", "on {git_branch}");
    assert_eq!(raw(&project, &[]), "on");
    project.write(".git/HEAD", "ref: refs/heads/feature/审查\n");
    assert_eq!(raw(&project, &[]), "on feature/审查");
    // Asked for from elsewhere, with no program on the path.
    let elsewhere = Project::empty();
    elsewhere.write(".git/HEAD", "ref: refs/heads/other\n");
    let root = project.path().to_str().unwrap();
    let run = elsewhere.run_with(("PATH", ""), ["run", "worker", "--raw", "-d", root]);
    assert_eq!(run.success(), "on feature/审查\n");
    // A linked work tree, a folder within a repository, a commit without a branch.
    let linked = with_worker("", "on {git_branch}");
    let git = project.path().join(".git/worktrees/w");
    fs::create_dir_all(&git).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/linked\n").unwrap();
    linked.write(".git", &format!("gitdir: {}\n", git.display()));
    assert_eq!(raw(&linked, &[]), "on linked");
    fs::write(git.join("HEAD"), "0123456789abcdef0123456789abcdef01234567\n").unwrap();
    assert_eq!(raw(&linked, &[]), "on HEAD");
    let inner = project.path().join("packages/one");
    fs::create_dir_all(inner.join(".crew/employees")).unwrap();
    fs::write(inner.join(".crew/employees/worker.md"), employee("worker", "", "on {git_branch}")).unwrap();
    let inner = inner.to_str().unwrap();
    assert_eq!(elsewhere.run(["run", "worker", "--raw", "-d", inner]).success(), "on feature/审查\n");
}

/// A2.8: nothing but blanks is no value, for whoever asks.
#[test]
fn a2_08_a_blank_is_missing() {
    let project = with_worker(TWO, "$target");
    for value in ["target=", "target=  "] {
        let told = project.run(["run", "worker", "--arg", value]).status(2);
        assert!(told.contains("needs argument `target`"), "{told}");
    }
    project.write(".crew/pipelines/p.yaml", "steps:\n  - {employee: worker, args: {target: $x}}\n");
    let told = project.run(["pipeline", "run", "p", "--arg", "x="]).status(2);
    assert!(told.contains("target"), "{told}");
}

/// A2, engine: an optional value that is not given is empty, and what is no argument stays.
#[test]
fn an_optional_value_that_is_not_given_is_empty() {
    let project = with_worker("args: [{name: a}]\n", "[$a] $HOME {} $$a {unknown}");
    assert_eq!(raw(&project, &[]), "[] $HOME {} $a {unknown}");
}

/// C5.11: a file that cannot be written is told before anything is done, and nothing is left of it.
#[test]
fn c5_11_a_place_that_cannot_be_written_is_told_first() {
    let project = with_worker("", "Work.");
    project.run(["run", "worker", "-o", "deep/er/prompt.md", "--raw"]).success();
    assert_eq!(project.read("deep/er/prompt.md"), "Work.\n");
    let before = project.tree();
    let told = project.run(["run", "worker", "-x", "-o", "deep/er/prompt.md/x"]).status(1);
    assert!(told.contains("cannot be written"), "{told}");
    assert_eq!(project.tree(), before);
}
