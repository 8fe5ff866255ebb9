use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::defs::{Diagnostic, Source};

fn back(text: &str, name: &str, form: Foreign) -> (Option<Employee>, Vec<Diagnostic>) {
    let source = Source::new("SKILL.md", text);
    let (found, diagnostics) = match form {
        Foreign::Skill => parse_skill(&source, name),
        Foreign::Agent => parse_agent(&source, name),
    };
    (found.map(|(employee, _)| employee), diagnostics)
}

/// A text as a definition holds it: trimmed, with line feeds only.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        "a",
        "代码 审查",
        "a: b # c",
        "[x] [y]",
        "-->",
        "'",
        "\"",
        "---",
        "a\n---\nb",
        "$target",
        "${target}2",
        "$1",
        "$0",
        "$$target",
        "$5.00",
        "{date}",
        "true",
        "1.10",
        "null",
        "~",
        "- x",
        "&a",
        "*b",
        "!t",
        "%",
        "@",
        "\u{85}",
        "\t",
        "\u{2028}",
        "|",
        ">",
        "\\n",
        "x,y",
        "None",
        "{\"a\": 1}",
        "5",
    ]);
    prop::collection::vec(prop_oneof![odd.prop_map(str::to_owned), "\\PC{0,8}"], 0..5)
        .prop_map(|parts| parts.concat().replace('\r', "").trim_matches('\u{feff}').trim().to_owned())
}

fn filled() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(filled(), 0..3)
}

fn option<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(of)
}

fn args() -> impl Strategy<Value = Vec<Arg>> {
    let name = prop::sample::subsequence(vec!["target", "target_dir", "目标", "focus-on", "x"], 0..4);
    let rest = prop::collection::vec((text(), any::<bool>(), option(text())), 5);
    (name, rest).prop_map(|(names, rest)| {
        let args = names.into_iter().zip(rest);
        args.map(|(name, (description, required, default))| Arg {
            name: name.to_owned(),
            description,
            required,
            default,
        })
        .collect()
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(json!({"a": ["b", {"c": "d"}], "n": null})),
    ]
}

fn extra() -> impl Strategy<Value = Map<String, Value>> {
    let names = ["license", "color", "metadata", "model", "tools", "argument-hint", "tags", "说明"];
    let field = (prop::sample::select(names.to_vec()), value());
    prop::collection::vec(field, 0..4)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn employee() -> impl Strategy<Value = Employee> {
    let who = (text(), text(), text(), text(), filled(), texts(), texts());
    let what = (args(), filled(), texts(), texts(), option(filled()), texts(), texts());
    let how =
        (option(filled()), option(0.0_f32..2.0), option(1_u32..), option(filled()), any::<bool>(), extra());
    let origin = prop::sample::select(vec![Origin::Crew, Origin::Skill, Origin::Agent, Origin::Recipe]);
    let rest = (origin, text(), text(), option(permissions()), any::<bool>());
    (who, what, how, rest).prop_map(|(who, what, how, rest)| Employee {
        name: "some-name".to_owned(),
        display_name: who.0,
        character_name: who.1,
        summary: who.2,
        bio: who.3.clone(),
        author: who.3,
        version: who.4.clone(),
        description: header::one_line(&who.4).trim_matches('\u{feff}').trim().to_owned() + "x",
        tags: who.5.clone(),
        triggers: who.6,
        args: what.0,
        body: what.1,
        tools: what.2,
        context: what.3,
        model: what.4,
        kpi: what.5,
        domains: what.6,
        base_url: how.0.clone(),
        fallback_model: how.0,
        temperature: how.1,
        max_tokens: how.2,
        thinking: how.4.then_some(rest.4),
        agent_id: how.3,
        auto_memory: how.4,
        extra: how.5,
        origin: rest.0,
        avatar_prompt: rest.1.clone(),
        research_instructions: rest.2.clone(),
        permissions: rest.3,
        output: if rest.4 {
            Output {
                format: Format::Json,
                filename: rest.1.clone(),
                dir: rest.2,
                schema: Some(json!({"type": "object", "required": [rest.1]})),
            }
        } else {
            Output::default()
        },
        agent_status: if rest.4 { AgentStatus::Frozen } else { AgentStatus::Active },
        adaptors: who.5.into_iter().map(|body| Adaptor { name: rest.1.clone(), body }).collect(),
        ..Employee::default()
    })
}

fn permissions() -> impl Strategy<Value = Permissions> {
    (texts(), texts(), texts()).prop_map(|(roles, deny, approve)| Permissions {
        roles,
        deny,
        approve,
        ..Permissions::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_exported_is_read_back_as_it_was(employee in employee()) {
        for form in [Foreign::Skill, Foreign::Agent] {
            let text = export(&employee, form);
            let (found, diagnostics) = back(&text, "some-name", form);
            prop_assert!(found.is_some(), "{text}\n{diagnostics:?}");
            prop_assert_eq!(found.as_ref(), Some(&employee), "{}", text);
            prop_assert_eq!(authorship(&text), Authorship::Ours, "{}", text);
        }
    }

    #[test]
    fn no_text_makes_a_reader_of_another_format_panic(text in "\\PC{0,200}", front in "\\PC{0,60}") {
        for text in [text.clone(), format!("---\n{front}\n---\n{text}")] {
            let source = Source::new("x.md", text.as_str());
            parse_skill(&source, "x");
            parse_agent(&source, "x");
            parse_recipe(&source, "x");
            authorship(&text);
            bump(&source, "1.0", Bump::Patch, "x");
        }
    }
}
