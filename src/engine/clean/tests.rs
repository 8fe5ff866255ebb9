use proptest::prelude::*;

use super::{Cleaner, clean};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(clean(text), expected, "{text:?}");
}

#[track_caller]
fn stays(text: &str) {
    check(text, text);
}

#[test]
fn thoughts_are_taken_away() {
    check("<think>hm</think>\n\n答案", "答案");
    check("<THINK>hm</Think>ok", "ok");
    check("\n<thinking>\na\n</thinking>\n# Title\n", "# Title\n");
    check("A\n\n<reflection>x</reflection>\n\nB", "A\n\nB");
    check("A\n<inner_monologue >x</inner_monologue >\n\nB\n", "A\n\nB\n");
    check("好的。<think>x</think>B", "好的。B");
    check(concat!("A\n<", "antml:thinking>x</", "antml:thinking>"), "A");
    check("  <think>a</think>```rust\n<think>\n```\n", "```rust\n<think>\n```\n");
}

#[test]
fn thoughts_inside_each_other_and_without_an_end_are_taken_away() {
    check("<think>a\n<think>b</think>\nc</think>d", "d");
    check("<thinking>a\n<reflection>b\n</thinking>c", "c");
    check("<think>a</thinking>b", "b");
    check("A\n\n<thinking>never ends\n\nB", "A");
    check("<think>", "");
    check("<think>the tag <think> or `</think>` is meant</think>B", "B");
    check("no beginning\n</think>\n\nB", "no beginning\n\nB");
}

#[test]
fn calls_of_tools_are_taken_away() {
    check(
        "Let me look.\n<tool_call>\n{\"name\": \"grep\", \"arguments\": {}}\n</tool_call>\n",
        "Let me look.",
    );
    check("<tool_call>grep\n<arg_key>q</arg_key>\n<arg_value>x</arg_value>\n</tool_call>B", "B");
    check("<tool_call>\n<function=grep>\n<parameter=q>\nx\n</parameter>\n</function>\n</tool_call>", "");
    check("<function=grep>{\"q\": 1}</function>\nB", "B");
    check(
        "A\n<function_calls>\n<invoke name=\"x\">\n<parameter name=\"q\">1</parameter>\n</invoke>\n</function_calls>\nB",
        "A\nB",
    );
    check(
        concat!(
            "<",
            "antml:function_calls>\n<",
            "antml:invoke name=\"x\">\n</",
            "antml:invoke>\n</",
            "antml:function_calls>\nB"
        ),
        "B",
    );
    check("<Invoke name=\"x\"><parameter name=\"q\">1</parameter></invoke> B", "B");
    check("A<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>x<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "A");
    check("A <|tool_calls_section_begin|>x<|tool_calls_section_end|> B", "A B");
    check("A\n<tool_call>\n{\"name\": \"grep\", \"argu", "A");
}

#[test]
fn what_belongs_into_an_answer_stays() {
    for text in [
        "",
        " \n ",
        "<get_user><id>1</id></get_user>",
        "<config>\n  <tool_call>off</tool_call>\n  <function_calls>3</function_calls>\n</config>\n",
        "<invoke>x</invoke>\n<function>f</function>\n",
        "Put thoughts into <thinking> tags, the answer into <answer>.",
        "把思考放在<thinking>和</thinking>之间。",
        "Write e.g. <thinking> first",
        "- <think>: begins a thought\n",
        "`<think>x</think>` and ``<think>`x</think>``",
        "```xml\n<think>x</think>\n```\n",
        "1. ```xml\n   <think>x</think>\n   ```\n",
        "~~~\n```\n<thinking>\n~~~\n",
        "````\n```\n<think>x</think>\n```\n````",
        "```\n<think>never ends",
        "a < b && c > d, a <b <c",
        "OK.<think> is a tag",
        "<",
        "<thin",
        "<think\n>",
        "</div>\n</thinkers>\n<thinks>",
        "trailing space \n\n",
    ] {
        stays(text);
    }
}

#[test]
fn text_behind_code_is_kept_again() {
    check("```x``` `y`\n<think>x</think>B", "```x``` `y`\nB");
    check("```\nx\n```  \n<think>x</think>B", "```\nx\n```  \nB");
    check("a ` b\n<think>x</think>B", "a ` b\nB");
}

#[test]
fn nothing_is_held_back_that_is_decided() {
    let mut cleaner = Cleaner::default();
    assert_eq!(cleaner.push("a <"), "a");
    assert_eq!(cleaner.push("b>"), " <b>");
    assert_eq!(cleaner.push("\n<think>hidden"), "");
    assert_eq!(cleaner.push("</thi"), "");
    assert_eq!(cleaner.push("nk>c"), "\nc");
    assert_eq!(cleaner.finish(), "");
}

/// Pieces that answers with faults are made of.
/// Looked at again for every letter, this would take hours.
#[test]
fn one_letter_again_and_again_is_looked_at_once() {
    for letter in ["a", "字", "\n", "`", "~"] {
        let text = letter.repeat(1 << 20) + "z";
        assert_eq!(clean(&text).trim_start().len(), text.trim_start().len(), "{letter:?}");
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<think>",
        "</think>",
        "<THINKING>",
        "</thinking>",
        "<reflection>",
        "</Reflection>",
        "<tool_call>",
        "</tool_call>",
        "{\"name\": 1}",
        "<function=f>",
        "</function>",
        "f\n<arg_key>",
        "<invoke name=\"x\">",
        "<parameter name=\"q\">",
        "</invoke>",
        "<function_calls>",
        "</function_calls>",
        "```",
        "````",
        "~~~",
        "`",
        "``",
        "\n",
        "\n",
        " ",
        ".",
        "。",
        "x",
        "审查",
        "<",
        ">",
        "<b>",
        "> ",
        "- ",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "\r\n",
        "\t",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_cut_gives_the_same(
        pieces in prop::collection::vec(piece(), 0..24),
        cuts in prop::collection::vec(0_usize..120, 0..12),
    ) {
        let text = pieces.concat();
        let mut cleaner = Cleaner::default();
        let (mut kept, mut from) = (String::new(), 0);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        for cut in cuts {
            kept.push_str(&cleaner.push(text.get(from..cut).unwrap()));
            from = cut;
        }
        kept.push_str(&cleaner.push(text.get(from..).unwrap()));
        kept.push_str(&cleaner.finish());
        prop_assert_eq!(kept, clean(&text));
    }

    #[test]
    fn letter_by_letter_gives_the_same(pieces in prop::collection::vec(piece(), 0..16)) {
        let text = pieces.concat();
        let mut cleaner = Cleaner::default();
        let mut kept: String = text.chars().map(|letter| cleaner.push(&letter.to_string())).collect();
        kept.push_str(&cleaner.finish());
        prop_assert_eq!(kept, clean(&text));
    }

    #[test]
    fn text_without_tags_stays(text in "[^<]{0,200}") {
        prop_assert_eq!(clean(&text), text);
    }
}
