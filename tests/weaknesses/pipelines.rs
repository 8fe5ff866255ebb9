//! A3: how pipelines are read, checked and drawn.

use serde_json::Value;

use super::{codes, employee, json, with_worker};
use crate::support::Project;

/// A project with `worker`, who takes `text`, and the pipeline `p`.
fn project(pipeline: &str) -> Project {
    let project = with_worker("args: [{name: text}]\n", "<$text>");
    project.write(".crew/pipelines/p.yaml", pipeline);
    project
}

fn prompts(project: &Project, words: &[&str]) -> Vec<String> {
    let run = json(project.run([&["pipeline", "run", "p", "--json"], words].concat()));
    let steps = run["steps"].as_array().unwrap().iter();
    let steps = steps.flat_map(|step| step.as_array().cloned().unwrap_or_else(|| vec![step.clone()]));
    steps.map(|step| step["prompt"].as_str().unwrap().rsplit("---\n\n").next().unwrap().to_owned()).collect()
}

/// A3.1: the schema knows what the parser knows; see `schemas::every_valid_file_fits_its_schema`.
#[test]
fn a3_01_the_schema_accepts_ids_groups_conditions_and_loops() {
    let schema = json(Project::empty().run(["schema", "pipeline"]));
    let text = "steps:\n  - {id: a, employee: x}\n  - parallel: [{employee: x}, {id: b, employee: y}]\n  - condition: \
                {check: '{prev}', contains: a, then: [{employee: x}]}\n  - loop: {steps: [{employee: x}], until: \
                {check: '{prev}', matches: b}}\n";
    let instance: Value = serde_yaml::from_str(text).unwrap();
    assert!(jsonschema::draft7::is_valid(&schema, &instance));
}

/// A3.5: an output, or a value, with a reference in it is text in the next prompt.
#[test]
fn a3_05_what_a_step_gave_is_never_expanded() {
    let project = project(
        "steps:\n  - {id: a, employee: worker, args: {text: $x}}\n  - {employee: worker, args: {text: '{prev}'}}\n",
    );
    let nasty = "{steps.a.output} {prev} $x {cwd} $1";
    assert_eq!(prompts(&project, &["--arg", &format!("x={nasty}")])[0], format!("<{nasty}>"));
    let run = json(project.run(["pipeline", "run", "p", "-x", "--json", "--arg", &format!("x={nasty}")]));
    let text = run.to_string();
    // The offline model says what it was told: the words stand in the last output as they were given.
    assert!(run["steps"][1]["output"].as_str().unwrap().contains(nasty), "{text}");
}

/// A3.6: an id that could not be referred to is refused, and so is a reference to nothing.
#[test]
fn a3_06_ids_can_be_referred_to() {
    for id in ["a.b", "1", "a b", "a}b"] {
        let project = project(&format!("steps:\n  - {{id: '{id}', employee: worker}}\n"));
        assert_eq!(codes(&project), ["invalid-name"], "{id}");
    }
    let project = project(
        "steps:\n  - {id: a, employee: worker}\n  - {employee: worker, args: {text: '{steps.b.output}'}}\n",
    );
    assert_eq!(codes(&project), ["unknown-reference"]);
    project.run(["pipeline", "run", "p"]).status(1);
}

/// A3.7: a group needs a member.
#[test]
fn a3_07_an_empty_group_is_refused() {
    for group in ["[]", "", "~"] {
        let project = project(&format!("steps:\n  - employee: worker\n  - parallel: {group}\n"));
        assert!(codes(&project).contains(&"empty-steps".to_owned()), "{group}: {:?}", codes(&project));
    }
}

/// A3.9, C5.10: what a run is not given is told before it starts.
#[test]
fn a3_09_missing_values_are_told_before_the_run() {
    let needs = project("steps:\n  - {employee: worker, args: {text: '$x and $y'}}\n");
    let told = needs.run(["pipeline", "run", "p", "--arg", "x=1"]).status(2);
    assert!(told.contains("`y`") && !told.contains("`x`"), "{told}");
    assert_eq!(prompts(&needs, &["--arg", "x=1", "--arg", "y=2"]), ["<1 and 2>"]);
    let gives = with_worker("args: [{name: text, required: true}]\n", "$text");
    gives.write(".crew/pipelines/p.yaml", "steps: [{employee: worker}]\n");
    assert_eq!(codes(&gives), ["missing-arg"]);
}

/// A3, 3.3: a name stands anywhere in a value, and in braces where the next letter would belong to it.
#[test]
fn names_stand_anywhere_in_a_value() {
    let project = project("steps:\n  - {employee: worker, args: {text: 'src/$dir/${name}_test'}}\n");
    assert_eq!(prompts(&project, &["--arg", "dir=a", "--arg", "name=b"]), ["<src/a/b_test>"]);
    let chinese = "steps:\n  - {employee: worker, args: {text: '${目标}的代码'}}\n";
    project.write(".crew/pipelines/p.yaml", chinese);
    project.run(["pipeline", "run", "p"]).status(2);
    assert_eq!(prompts(&project, &["--arg", "目标=a"]), ["<a的代码>"]);
    // Without braces and without a declaration nobody can tell where the name ends, which is told.
    project.write(".crew/pipelines/p.yaml", &chinese.replace("${目标}", "$目标"));
    assert_eq!(codes(&project), ["unknown-placeholder"]);
    let declared = format!("args: [{{name: 目标}}]\n{}", chinese.replace("${目标}", "$目标"));
    project.write(".crew/pipelines/p.yaml", &declared);
    assert!(codes(&project).is_empty());
    assert_eq!(prompts(&project, &["--arg", "目标=a"]), ["<a的代码>"]);
}

/// A3.13: nothing in a file can break the picture.
#[test]
fn a3_13_pictures_survive_any_text() {
    let project = Project::empty();
    let nasty = "a\"];end`#<script>&\\n";
    project.write(".crew/employees/w.md", &employee("w", &format!("triggers: ['{nasty}']\n"), "Work."));
    let pipeline = format!(
        "steps:\n  - {{id: end, employee: '{nasty}'}}\n  - {{id: S, employee: w}}\n  - {{id: 审查, employee: w}}\n  \
         - condition: {{check: '{{prev}}', contains: '{nasty}', then: [{{employee: w}}]}}\n"
    );
    project.write(".crew/pipelines/p.yaml", &pipeline);
    assert!(codes(&project).is_empty(), "{:?}", codes(&project));
    let graph = project.run(["pipeline", "graph", "p"]).success();
    for line in graph.lines().skip(1) {
        let text = line.trim();
        assert!(text.starts_with(|first: char| first.is_ascii_alphabetic()), "{line}");
        assert!(!text.starts_with("end"), "{line}");
        assert!(matches!(text.matches('"').count(), 0 | 2), "{line}");
        assert!(!text.contains(['<', '`', '&', '\\']) || text.contains("-->"), "{line}");
    }
    // A condition without an `else` has its way past it, and it is labelled.
    assert!(graph.contains("-->|else|"), "{graph}");
}

/// A3.14: a step is counted where it is written, whichever way is taken.
#[test]
fn a3_14_a_number_is_that_of_the_step_as_written() {
    let project = project(
        "steps:\n  - condition: {check: x, equals: y, then: [{employee: worker, args: {text: then}}], else: [{employee: \
         worker, args: {text: else}}]}\n  - {id: last, employee: worker, args: {text: '{steps.1.output}|{steps.0.output}'}}\n",
    );
    let run = json(project.run(["pipeline", "run", "p", "-x", "--json"]));
    let last = run["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["step_index"], 2);
    let value = last["args"]["text"].as_str().unwrap();
    assert!(value.contains("<else>") && value.ends_with('|'), "{value}");
}

/// A3.18: a pattern takes no more time than its text is long; one that is none is told with its place.
#[test]
fn a3_18_no_pattern_runs_away() {
    let long = "a".repeat(200_000) + "!";
    let text = |pattern: &str| {
        format!(
            "steps:\n  - condition:\n      check: $x\n      matches: '{pattern}'\n      then: [{{employee: worker}}]\n"
        )
    };
    let slow = project(&text("^(a+)+$"));
    // The value is too long for a command line of its own.
    let values = serde_json::json!({"x": long});
    let call = serde_json::json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "run_pipeline",
        "arguments": {"name": "p", "args": values, "execute": true}}});
    let hello = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion":
        "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let run = slow.run_on(format!("{hello}\n{call}\n").as_bytes(), ["mcp"]);
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["result"]["isError"], Value::Bool(false), "{last}");
    let told = project(&text("a(")).run(["check"]).status(1);
    assert!(told.contains("invalid-pattern") && told.contains("p.yaml:4:"), "{told}");
}
