//! A4: how discussions are read and rendered.

use serde_json::{Value, json};

use super::{codes, employee, json};
use crate::support::Project;

/// A project with `ann` (who takes `target`) and `bob`, and the discussion `d`.
fn project(discussion: &str) -> Project {
    let project = Project::empty();
    let ann = employee("ann", "args: [{name: target, required: true}]\n", "Ann looks at $target.");
    project.write(".crew/employees/ann.md", &ann);
    project.write(".crew/employees/bob.md", &employee("bob", "", "Bob builds."));
    project.write(".crew/discussions/d.yaml", discussion);
    project
}

const BOTH: &str = "participants: [{employee: ann}, {employee: bob}]\n";

fn rendered(project: &Project, words: &[&str]) -> String {
    project.run([&["discuss", "run", "d"], words].concat()).success()
}

fn plan(project: &Project, words: &[&str]) -> Value {
    json(project.run([&["discuss", "run", "d", "--orchestrated"], words].concat()))
}

/// A4.1, A4.2: looking at a discussion records nothing.
#[test]
fn a4_02_a_preview_is_no_meeting() {
    let project = project(&format!("topic: x\n{BOTH}"));
    let before = project.tree();
    rendered(&project, &[]);
    plan(&project, &[]);
    project.run(["discuss", "show", "d"]).success();
    project.run(["discuss", "adhoc", "-e", "ann,bob", "-t", "x"]).success();
    assert_eq!(project.tree(), before);
}

/// A4.3: a conversation between two has one participant, and one without any is no discussion.
#[test]
fn a4_03_nobody_is_dropped() {
    assert_eq!(codes(&project(&format!("topic: x\nmode: meeting\n{BOTH}"))), ["too-many-participants"]);
    assert_eq!(codes(&project("topic: x\nmode: meeting\nparticipants: []\n")), ["no-participants"]);
}

/// A4.4: a template that is not there is told, here and on the spot; the number of rounds is that of the template.
#[test]
fn a4_04_templates_of_rounds_are_known() {
    assert_eq!(codes(&project(&format!("topic: x\nround_template: adversary\n{BOTH}"))), ["invalid-value"]);
    let words = ["discuss", "adhoc", "-e", "ann,bob", "-t", "x", "--round-template", "adversary"];
    let known = project(&format!("topic: x\nround_template: adversarial\nrounds: 1\n{BOTH}"));
    let told = known.run(words).status(2);
    assert!(told.contains("adversarial"), "{told}");
    assert_eq!(json(known.run(["discuss", "list", "--json"]))[0]["rounds"], 4);
    assert_eq!(plan(&known, &[])["rounds"].as_array().unwrap().len(), 4);
}

/// A4.5: names end where the word does, and every text is filled.
#[test]
fn a4_05_every_text_is_filled_once() {
    let project = project(
        "topic: $target_file\ngoal: $target\nrules: ['rule $target']\ntension_seeds: ['seed $target']\nrounds:\n  - {name: \
         'round $target', instruction: 'do $target'}\nparticipants:\n  - {employee: ann, focus: 'focus $target', stance: \
         'stance $target'}\n  - {employee: bob}\n",
    );
    let text = rendered(&project, &["--arg", "target=T$target_file", "--arg", "target_file=F"]);
    for part in ["rule ", "seed ", "round ", "do ", "focus ", "stance "] {
        assert!(text.contains(&format!("{part}T$target_file")), "{part}: {text}");
    }
    assert!(text.contains("Topic**: F"), "{text}");
    let told = project.run(["discuss", "run", "d", "--arg", "target=x"]).status(2);
    assert!(told.contains("target_file"), "{told}");
}

/// A4.6: a value in the name of a file leads nowhere, also in the last prompt of a plan.
#[test]
fn a4_06_a_value_in_a_file_name_leads_nowhere() {
    let project = project(&format!(
        "topic: 'a: b? <c>'\noutput: {{filename: '$who-$topic.md', dir: '~/notes'}}\n{BOTH}"
    ));
    let words = ["--arg", "who=../../x"];
    let plan = plan(&project, &words);
    for text in [rendered(&project, &words), plan["synthesis_prompt"].as_str().unwrap().to_owned()] {
        assert!(text.contains("~/notes/x-a-b-c.md"), "{text}");
        assert!(!text.contains("$who") && !text.contains("../"), "{text}");
    }
}

/// A4.8: who takes part twice is told, and no rule speaks of a moderator who is not there.
#[test]
fn a4_08_rules_speak_of_those_who_are_there() {
    let twice = "participants: [{employee: ann}, {employee: ann}]\n";
    assert_eq!(codes(&project(&format!("topic: x\n{twice}"))), ["repeated-participant"]);
    let without = rendered(&project(&format!("topic: x\n{BOTH}")), &[]);
    assert!(!without.to_lowercase().contains("moderator"), "{without}");
    let with = "participants: [{employee: ann, role: moderator}, {employee: bob}]\n";
    assert!(rendered(&project(&format!("topic: x\n{with}")), &[]).to_lowercase().contains("moderator"));
}

/// A4.10: what an employee would need is named, not left as a place.
#[test]
fn a4_10_no_place_of_a_participant_leaks() {
    let project = project(&format!("topic: x\nbackground_mode: full\n{BOTH}"));
    let text = rendered(&project, &[]);
    assert!(text.contains("Ann looks at <target>.") && !text.contains("$target"), "{text}");
    assert!(rendered(&project, &["--arg", "target=T"]).contains("Ann looks at T."));
}

/// A4.11: each place in a plan is one that its reader is told of.
#[test]
fn a4_11_a_plan_holds_the_places_it_promises() {
    let plan = plan(&project(&format!("topic: x\nrounds: 2\n{BOTH}")), &[]);
    let synthesis = plan["synthesis_prompt"].as_str().unwrap();
    assert!(synthesis.contains("{all_rounds}") && !synthesis.contains("{previous_rounds}"), "{synthesis}");
    let rounds = plan["rounds"].as_array().unwrap();
    for (place, round) in rounds.iter().enumerate() {
        for prompt in round["participant_prompts"].as_array().unwrap() {
            let text = prompt["prompt"].as_str().unwrap();
            assert_eq!(text.contains("{previous_rounds}"), place > 0, "{text}");
            assert!(!text.contains("{research_findings}"), "{text}");
        }
    }
}

/// A4.12: what is asked of a participant is asked in the prompt too, within limits, of people who are there.
#[test]
fn a4_12_constraints_hold_in_every_form() {
    let text = "topic: x\ntension_seeds: [speed or safety]\naction_output: true\nrounds:\n  - {name: one, \
                max_words_per_turn: 77, min_disagreements: 3, require_direct_reply: true}\nparticipants:\n  - {employee: ann, \
                stance: against it, must_challenge: [bob], max_agree_ratio: 0.25}\n  - {employee: bob}\n";
    let project = project(text);
    let (prompt, plan) = (rendered(&project, &[]), plan(&project, &[]));
    let first = plan["rounds"][0]["participant_prompts"][0]["prompt"].as_str().unwrap();
    for part in ["against it", "bob", "25", "77", "speed or safety"] {
        assert!(prompt.contains(part), "{part}: {prompt}");
        assert!(first.contains(part), "{part}: {first}");
    }
    for ratio in ["-2", "1.5", "much"] {
        let wrong = text.replace("0.25", ratio);
        assert_eq!(codes(&self::project(&wrong)), ["invalid-value"], "{ratio}");
    }
    assert_eq!(codes(&self::project(&text.replace("[bob]", "[bobby]"))), ["odd-participant"]);
    let asked = json(project.run(["discuss", "show", "d", "--json"]));
    assert_eq!(asked["participants"][0]["must_challenge"], json!(["bob"]));
}
