//! A pipeline as a picture, in the language of Mermaid.

use std::fmt::Write as _;

use super::surroundings::Language;
use crate::{
    base::text::truncate,
    defs::{Comparison, Condition, Item, Loop, Pipeline, Step, Test, Work},
};

/// Longest label, in characters.
const LONGEST: usize = 60;

/// Words that mean something to Mermaid and cannot be nodes.
const RESERVED: [&str; 14] = [
    "end",
    "graph",
    "subgraph",
    "flowchart",
    "style",
    "class",
    "classdef",
    "click",
    "linkstyle",
    "direction",
    "default",
    "call",
    "href",
    "interpolate",
];

/// Draws `pipeline` from left to right. A step is known by its id when that can be the name of a node, else by its
/// number; nothing that is written in the file can end a label or a line.
pub fn mermaid(pipeline: &Pipeline) -> String {
    let texts = format!("{}{}", pipeline.name, pipeline.description);
    let mut drawing = Drawing { text: "graph LR\n".to_owned(), language: Language::of(&texts), next: 0 };
    let start = drawing.pick("start", "开始");
    drawing.line(&format!("S([\"{start}\"])"));
    let mut from = Edge::of("S");
    for (place, item) in pipeline.items.iter().enumerate() {
        from = match item {
            Item::Work(work) => drawing.work(work, &place.to_string(), &from),
            Item::Condition(condition) => drawing.condition(condition, place, &from),
            Item::Loop(again) => drawing.again(again, place, &from),
        };
    }
    let end = drawing.pick("end", "结束");
    drawing.line(&format!("E([\"{end}\"])"));
    drawing.edge(&from, "E");
    drawing.text
}

/// The node an edge leaves from, and what is written on the edge.
#[derive(Clone)]
struct Edge {
    node: String,
    label: Option<&'static str>,
}

impl Edge {
    fn of(node: impl Into<String>) -> Self {
        Self { node: node.into(), label: None }
    }

    fn labelled(node: impl Into<String>, label: &'static str) -> Self {
        Self { node: node.into(), label: Some(label) }
    }
}

struct Drawing {
    text: String,
    language: Language,
    /// Number of the next step, as it is written.
    next: usize,
}

impl Drawing {
    fn pick(&self, english: &'static str, chinese: &'static str) -> &'static str {
        self.language.pick(english, chinese)
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "  {line}");
    }

    fn edge(&mut self, from: &Edge, to: &str) {
        match from.label {
            Some(label) => self.line(&format!("{} -->|{label}| {to}", from.node)),
            None => self.line(&format!("{} --> {to}", from.node)),
        }
    }

    /// Draws a step or a group; `key` tells the forks apart.
    fn work(&mut self, work: &Work, key: &str, from: &Edge) -> Edge {
        let steps = match work {
            Work::Step(step) => {
                let node = self.step(step);
                self.edge(from, &node);
                return Edge::of(node);
            }
            Work::Parallel(steps) => steps,
        };
        let (fork, join) = (format!("F{key}"), format!("J{key}"));
        let (apart, together) = (self.pick("side by side", "并行"), self.pick("join", "合并"));
        self.line(&format!("{fork}{{\"{apart}\"}}"));
        self.line(&format!("{join}{{\"{together}\"}}"));
        self.edge(from, &fork);
        for step in steps {
            let node = self.step(step);
            self.line(&format!("{fork} --> {node}"));
            self.line(&format!("{node} --> {join}"));
        }
        Edge::of(join)
    }

    fn step(&mut self, step: &Step) -> String {
        let number = self.next;
        self.next += 1;
        let node =
            step.id.as_deref().filter(|id| is_node(id)).map_or_else(|| format!("s{number}"), str::to_owned);
        let when = step.when.as_ref().map(|when| format!(" ? {}", asked(when))).unwrap_or_default();
        self.line(&format!("{node}[\"{}\"]", label(&format!("{}{when}", step.employee))));
        node
    }

    fn condition(&mut self, condition: &Condition, place: usize, from: &Edge) -> Edge {
        let (node, merge) = (format!("C{place}"), format!("CM{place}"));
        self.line(&format!("{node}{{\"{}\"}}", label(&asked(&condition.test))));
        self.line(&format!("{merge}((\" \"))"));
        self.edge(from, &node);
        let ways = [("then", &condition.then), ("else", &condition.otherwise)];
        for (name, works) in ways {
            let way = self.block(works, &format!("{place}_{name}"), Edge::labelled(&node, name));
            self.edge(&way, &merge);
        }
        Edge::of(merge)
    }

    fn again(&mut self, again: &Loop, place: usize, from: &Edge) -> Edge {
        let (node, check) = (format!("L{place}"), format!("LC{place}"));
        let most = self.pick("loop, at most", "循环，最多");
        self.line(&format!("{node}([\"{most} {}\"])", again.max_iterations));
        self.edge(from, &node);
        let end = self.block(&again.steps, &format!("{place}_loop"), Edge::of(&node));
        self.line(&format!("{check}{{\"{}\"}}", label(&asked(&again.until))));
        self.edge(&end, &check);
        let back = self.pick("again", "继续");
        self.edge(&Edge::labelled(&check, back), &node);
        Edge::labelled(check, self.pick("done", "完成"))
    }

    fn block(&mut self, works: &[Work], key: &str, mut from: Edge) -> Edge {
        for (place, work) in works.iter().enumerate() {
            from = self.work(work, &format!("{key}_{place}"), &from);
        }
        from
    }
}

/// Whether an id can be the name of a node: it must be none of Mermaid's words and none of the names given here,
/// which begin with a capital letter or are `s` and a number.
fn is_node(id: &str) -> bool {
    let numbered = id.strip_prefix('s').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !numbered
        && !RESERVED.contains(&id)
}

/// A test in a few words.
fn asked(test: &Test) -> String {
    match &test.comparison {
        Comparison::Contains(part) => format!("{} contains {part}", test.check),
        Comparison::Matches(pattern) => format!("{} matches {}", test.check, pattern.as_str()),
        Comparison::Equals(whole) => format!("{} = {whole}", test.check),
    }
}

/// `text` as it can stand in quotes: letters that mean something to Mermaid as entities, all on one line.
fn label(text: &str) -> String {
    let mut label = String::new();
    for letter in truncate(text.trim(), LONGEST).chars() {
        match letter {
            '"' => label.push_str("#quot;"),
            '#' => label.push_str("#35;"),
            '&' => label.push_str("#amp;"),
            '<' => label.push_str("#lt;"),
            '>' => label.push_str("#gt;"),
            '`' => label.push_str("#96;"),
            '\\' => label.push_str("#92;"),
            letter if letter.is_control() => label.push(' '),
            letter => label.push(letter),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::{Source, parse_pipeline};

    fn draw(text: &str) -> String {
        let (pipeline, found) = parse_pipeline(&Source::new("p.yaml", text), "p");
        mermaid(&pipeline.unwrap_or_else(|| panic!("{found:?}")))
    }

    #[test]
    fn groups_fork_and_join() {
        let text = "
steps:
  - {id: review, employee: code-reviewer}
  - parallel:
      - {id: end, employee: test-engineer}
      - {employee: '产品\"经理`#<b>'}
  - {id: S, employee: a}
  - {id: s1, employee: b}
";
        insta::assert_snapshot!(draw(text), @r#"
        graph LR
          S(["start"])
          review["code-reviewer"]
          S --> review
          F1{"side by side"}
          J1{"join"}
          review --> F1
          s1["test-engineer"]
          F1 --> s1
          s1 --> J1
          s2["产品#quot;经理#96;#35;#lt;b#gt;"]
          F1 --> s2
          s2 --> J1
          s3["a"]
          J1 --> s3
          s4["b"]
          s3 --> s4
          E(["end"])
          s4 --> E
        "#);
    }

    #[test]
    fn ways_and_loops_are_labelled() {
        let text = "
name: 评审
steps:
  - {id: a, employee: x}
  - condition:
      check: '{prev}'
      contains: '\"通过\"'
      then:
        - {employee: b, when: {check: $x, equals: y}}
  - loop:
      max_iterations: 3
      until: {check: '{prev}', matches: 'ok|done'}
      steps:
        - employee: c
";
        insta::assert_snapshot!(draw(text), @r#"
        graph LR
          S(["开始"])
          a["x"]
          S --> a
          C1{"{prev} contains #quot;通过#quot;"}
          CM1((" "))
          a --> C1
          s1["b ? $x = y"]
          C1 -->|then| s1
          s1 --> CM1
          C1 -->|else| CM1
          L2(["循环，最多 3"])
          CM1 --> L2
          s2["c"]
          L2 --> s2
          LC2{"{prev} matches ok|done"}
          s2 --> LC2
          LC2 -->|继续| L2
          E(["结束"])
          LC2 -->|完成| E
        "#);
    }
}
