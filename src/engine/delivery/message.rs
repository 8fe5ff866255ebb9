//! What is said of a task that has ended, in the language of what it is about.

use std::fmt::Write as _;

use serde_json::Value;

use super::wish::{From, Wish};
use crate::{
    base::text::{is_chinese, truncate},
    engine::{ALERT, Answer, DISCUSSION_RUN, ItemRun, Meeting, PIPELINE_RUN, PipelineRun, StepRun},
    tasks::{Status, Task},
};

/// Most characters of what a step before the last gave.
const EXCERPT: usize = 600;
/// Most steps that are listed.
const STEPS: usize = 100;

/// A task that has ended, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// The schedule, or what ran.
    pub name: String,
    /// What ran.
    pub target: String,
    /// Its task.
    pub task_id: String,
    /// Whether it was done.
    pub done: bool,
    /// The day it ended on, where the program runs: `2026-11-25`.
    pub date: String,
    /// Why it failed.
    pub error: Option<String>,
    /// What it gave: the answer of an employee, or that of the last item of a pipeline.
    pub output: String,
    /// What stands above it in place of its name and how it ended.
    pub heading: Option<String>,
    /// The steps of a pipeline.
    pub steps: Vec<Step>,
    /// Who worked, on which model and how long: `writer · claude-sonnet-4-5 · 3.2 s`.
    pub account: String,
    /// All it gave, for programs.
    pub result: Option<Value>,
    /// The words for it.
    pub words: &'static Words,
}

/// A step of a pipeline, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// `employee (id)`.
    pub title: String,
    /// How it ended.
    pub state: StepState,
    /// What it gave, or why it failed, in an excerpt.
    pub text: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepState {
    /// It was done.
    Done,
    /// It was not.
    Failed,
    /// Its condition did not hold.
    Skipped,
}

/// The words of a language.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) done: &'static str,
    pub(super) failed: &'static str,
    pub(super) skipped: &'static str,
    pub(super) steps: &'static str,
    pub(super) result: &'static str,
    pub(super) error: &'static str,
    pub(super) task: &'static str,
    pub(super) nothing: &'static str,
    round: &'static str,
    agreements: &'static str,
    objections: &'static str,
    leading: &'static str,
    dissent: &'static str,
    comma: &'static str,
    colon: &'static str,
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    cut: &'static str,
}

const ENGLISH: Words = Words {
    done: "completed",
    failed: "failed",
    skipped: "skipped",
    steps: "Steps",
    result: "Result",
    error: "Error",
    task: "Task",
    nothing: "It gave no text.",
    round: "Round",
    agreements: "agreements",
    objections: "objections",
    leading: "leading",
    dissent: "Dissent",
    comma: ", ",
    colon: ": ",
    open: " (",
    close: ")",
    cut: "cut here; the whole is in the task",
};

const CHINESE: Words = Words {
    done: "已完成",
    failed: "失败",
    skipped: "已跳过",
    steps: "步骤",
    result: "结果",
    error: "错误",
    task: "任务",
    nothing: "没有文字输出。",
    round: "轮次",
    agreements: "赞同",
    objections: "反对",
    leading: "领先方案",
    dissent: "少数意见",
    comma: "，",
    colon: "：",
    open: "（",
    close: "）",
    cut: "以下从略，全文见任务",
};

impl Message {
    /// What is said of `task` where `wish` wants it told.
    pub(super) fn of(task: &Task, wish: &Wish) -> Self {
        let name = match &wish.from {
            From::Schedule(name) => name.clone(),
            _ => task.target_name.clone(),
        };
        let run = task.result.as_ref().filter(|_| task.kind == PIPELINE_RUN);
        let run: Option<PipelineRun> = run.and_then(|result| serde_json::from_value(result.clone()).ok());
        let meeting = task.result.as_ref().filter(|_| task.kind == DISCUSSION_RUN);
        let meeting: Option<Meeting> = meeting.and_then(|result| serde_json::from_value(result.clone()).ok());
        let answer = task.result.as_ref().filter(|_| run.is_none() && meeting.is_none());
        let answer: Option<Answer> = answer.and_then(|result| serde_json::from_value(result.clone()).ok());
        let runs = || run.iter().flat_map(PipelineRun::step_runs);
        // A pipeline that goes on after failed steps is done even if nothing of it was.
        let tried = runs().filter(|step| !step.skipped).count();
        let failed = runs().filter(|step| step.error).count();
        let done = task.status == Status::Completed && (tried == 0 || failed < tried);
        let error = task.error.clone().or_else(|| {
            let first = runs().find(|step| step.error).filter(|_| !done)?;
            Some(first.error_message.clone())
        });
        let output = match (&run, &meeting, &answer) {
            (Some(run), ..) => last_output(run),
            (_, Some(meeting), _) => told_meeting(meeting),
            (.., Some(answer)) => answer.output.clone(),
            _ => task.result.as_ref().map(plain).unwrap_or_default(),
        };
        let account = match (&run, &meeting, &answer) {
            (Some(run), ..) => format!("{} · {}", task.target_name, seconds(run.total_duration_ms)),
            (_, Some(meeting), _) => format!("{} · {}", task.target_name, seconds(meeting.cost.duration_ms)),
            (.., Some(answer)) => {
                format!("{} · {} · {}", answer.employee, answer.model, seconds(answer.duration_ms))
            }
            _ => task.target_name.clone(),
        };
        // What an alert says begins with what it is about.
        let told = output.split_once("\n\n").filter(|_| task.kind == ALERT);
        let (heading, output) = match told {
            Some((heading, rest)) => (Some(heading.to_owned()), rest.to_owned()),
            None => (None, output),
        };
        let chinese = is_chinese(&name) || is_chinese(&output) || error.as_deref().is_some_and(is_chinese);
        let at = task.completed_at.unwrap_or(task.created_at).to_zoned(jiff::tz::TimeZone::system());
        Self {
            name,
            target: task.target_name.clone(),
            task_id: task.task_id.to_string(),
            done,
            date: at.strftime("%Y-%m-%d").to_string(),
            error,
            steps: runs().take(STEPS).map(|run| step(run, &output)).collect(),
            output,
            heading,
            account,
            result: task.result.as_ref().map(|result| bare(result.clone(), run.is_some())),
            words: if chinese { &CHINESE } else { &ENGLISH },
        }
    }

    /// How it ended, in a word.
    pub(super) fn status(&self) -> &'static str {
        if self.done { self.words.done } else { self.words.failed }
    }

    /// `name completed`, in the language of the message.
    pub(super) fn title(&self) -> String {
        if let Some(heading) = &self.heading {
            heading.clone()
        } else if *self.words == CHINESE {
            format!("【{}】{}", self.name, self.status())
        } else {
            format!("{} {}", self.name, self.status())
        }
    }

    /// What it gave, or why it failed, at most `limit` characters.
    pub(super) fn main(&self, limit: usize) -> String {
        let text = match &self.error {
            Some(error) if !self.done => error.trim(),
            _ => self.output.trim(),
        };
        if text.is_empty() { self.words.nothing.to_owned() } else { self.cut(text, limit) }
    }

    /// The first `limit` characters, and a word where the rest is.
    pub(super) fn cut(&self, text: &str, limit: usize) -> String {
        if text.chars().nth(limit).is_none() {
            return text.to_owned();
        }
        let tail = format!("\n… ({} {})", self.words.cut, self.task_id);
        let room = limit.saturating_sub(tail.chars().count());
        text.chars().take(room).collect::<String>() + &tail
    }

    /// All of it as plain text, about `limit` characters at most.
    pub(super) fn text(&self, limit: usize) -> String {
        let words = self.words;
        let mut text = format!("{}\n\n", self.title());
        let heading = if self.done { words.result } else { words.error };
        let _ = write!(text, "{heading}\n\n{}\n", self.main(limit));
        // What was reached all the same.
        if !self.done && !self.output.trim().is_empty() && self.steps.is_empty() {
            let _ = write!(text, "\n{}\n\n{}\n", words.result, self.cut(self.output.trim(), limit));
        }
        if !self.steps.is_empty() {
            let _ = write!(text, "\n{}\n\n{}", words.steps, self.outline());
        }
        let _ = write!(text, "\n{}\n{} {}\n", self.account, words.task, self.task_id);
        text
    }

    /// The steps, a line each, with what they gave below.
    pub(super) fn outline(&self) -> String {
        let mut text = String::new();
        for (number, step) in (1..).zip(&self.steps) {
            let _ = writeln!(text, "{number}. {} {}", step.state.mark(), step.line(self.words));
            for line in step.text.lines() {
                let _ = writeln!(text, "   {line}");
            }
        }
        text
    }
}

impl Step {
    /// What it is and how it ended.
    pub(super) fn line(&self, words: &Words) -> String {
        let state = match self.state {
            StepState::Done => words.done,
            StepState::Failed => words.failed,
            StepState::Skipped => words.skipped,
        };
        format!("{}{}{state}{}", self.title, words.open, words.close)
    }
}

impl StepState {
    /// A sign for it.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Done => "✓",
            Self::Failed => "✗",
            Self::Skipped => "–",
        }
    }
}

/// What is the result is not told twice.
fn step(run: &StepRun, result: &str) -> Step {
    let title = title(run);
    let (state, text) = match (run.skipped, run.error) {
        (true, _) => (StepState::Skipped, ""),
        (false, true) => (StepState::Failed, run.error_message.as_str()),
        (false, false) if run.output == result => (StepState::Done, ""),
        (false, false) => (StepState::Done, run.output.as_str()),
    };
    Step { title, state, text: truncate(text.trim(), EXCERPT) }
}

/// `employee`, or `employee [id]`.
fn title(run: &StepRun) -> String {
    match run.step_id.as_str() {
        "" => run.employee.clone(),
        id => format!("{} [{id}]", run.employee),
    }
}

/// What the last item gave that gave anything: of a group, every member under its name.
fn last_output(run: &PipelineRun) -> String {
    let said = |run: &&StepRun| !run.skipped && !run.error && !run.output.trim().is_empty();
    for item in run.steps.iter().rev() {
        let runs = match item {
            ItemRun::Step(run) => std::slice::from_ref(run.as_ref()),
            ItemRun::Group(runs) => runs.as_slice(),
        };
        let said: Vec<_> = runs.iter().filter(said).collect();
        match said.as_slice() {
            [] => {}
            [one] => return one.output.clone(),
            several => {
                let part = |run: &&StepRun| format!("## {}\n\n{}", title(run), run.output.trim());
                return several.iter().map(part).collect::<Vec<_>>().join("\n\n");
            }
        }
    }
    String::new()
}

/// What a discussion came to, and below it what was counted: each round, what leads in each vote, who kept dissenting.
fn told_meeting(meeting: &Meeting) -> String {
    let words = if is_chinese(&meeting.synthesis) { &CHINESE } else { &ENGLISH };
    let (comma, colon) = (words.comma, words.colon);
    let mut text = format!("{}\n", meeting.synthesis.trim());
    for round in &meeting.measures.rounds {
        let _ = write!(
            text,
            "\n- {} {}{colon}{} {}{comma}{} {}",
            words.round, round.round, words.agreements, round.agreements, words.objections, round.objections
        );
        let votes = meeting.measures.votes.iter().filter(|vote| vote.round == round.round);
        for vote in votes.filter(|vote| !vote.leading.is_empty()) {
            let _ = write!(text, "{comma}{} {}", words.leading, vote.leading.join(comma));
        }
    }
    for dissent in &meeting.measures.minority {
        let why = truncate(dissent.why.trim(), EXCERPT);
        let _ = write!(text, "\n- {}{colon}{}{colon}{why}", words.dissent, dissent.employee);
    }
    text
}

fn plain(result: &Value) -> String {
    match result {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // What keeps no record of its own says itself in `output`.
        Value::Object(fields) if fields.get("output").is_some_and(Value::is_string) => {
            fields.get("output").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    }
}

fn seconds(ms: u64) -> String {
    let tenths = ms.saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// A result as others may see it: without the prompts and the values that went into it.
fn bare(mut result: Value, is_pipeline: bool) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.shift_remove("args");
                fields.shift_remove("prompt");
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    if is_pipeline && let Some(steps) = result.get_mut("steps") {
        strip(steps);
    } else {
        strip(&mut result);
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tasks::TaskId;

    fn message(result: &Value, error: Option<&str>) -> Message {
        let kind = if result.get("steps").is_some() { "pipeline.run" } else { "employee.run" };
        let status = if error.is_some() { "failed" } else { "completed" };
        let task = json!({
            "task_id": TaskId::generate(), "status": status, "trigger": "cron", "kind": kind, "target_type": "x",
            "target_name": "report", "args": {}, "created_at": "2026-11-25T10:00:00Z", "started_at": null,
            "completed_at": "2026-11-25T10:00:01Z", "attempts": 1, "steps": [], "result": result, "error": error,
        });
        let wish = json!({"from": {"schedule": "nightly"}, "index": 0, "type": "email", "target": "a@b.c"});
        Message::of(&serde_json::from_value(task).unwrap(), &serde_json::from_value(wish).unwrap())
    }

    fn run(id: &str, output: &str, error: &str) -> Value {
        json!({
            "employee": "writer", "step_id": id, "step_index": 0, "args": {"secret": "x"}, "output": output,
            "error": !error.is_empty(), "error_message": error, "model": "m", "input_tokens": 0, "output_tokens": 0,
            "duration_ms": 0,
        })
    }

    fn pipeline(steps: &Value) -> Value {
        json!({
            "pipeline_name": "report", "mode": "execute", "steps": steps, "total_duration_ms": 1234,
            "total_input_tokens": 0, "total_output_tokens": 0,
        })
    }

    #[test]
    fn the_result_of_a_pipeline_is_what_its_last_item_gave() {
        let steps = json!([
            run("a", "draft", ""),
            [run("b", "left", ""), run("c", "right", "")],
            run("d", "", "broke")
        ]);
        let told = message(&pipeline(&steps), None);
        assert!(told.done);
        assert_eq!(told.output, "## writer [b]\n\nleft\n\n## writer [c]\n\nright");
        let text = told.text(1000);
        for part in [
            "nightly completed",
            "1. ✓ writer [a] (completed)\n   draft",
            "4. ✗ writer [d] (failed)\n   broke",
            "1.2 s",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!told.result.unwrap().to_string().contains("secret"));
    }

    #[test]
    fn nothing_done_is_a_failure_and_says_why() {
        let told = message(&pipeline(&json!([run("a", "", "no key"), run("b", "", "no key")])), None);
        assert_eq!((told.done, told.error.as_deref()), (false, Some("no key")));
        assert_eq!(told.main(100), "no key");
        let told = message(&Value::Null, Some("模型没有回答"));
        assert_eq!((told.title().as_str(), told.main(100).as_str()), ("【nightly】失败", "模型没有回答"));
        assert_eq!(message(&json!({"output": " "}), None).main(100), "It gave no text.");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_where_the_rest_is() {
        let told = message(&json!({"output": "长".repeat(9000)}), None);
        let text = told.main(4000);
        assert_eq!(text.chars().count(), 4000);
        assert!(text.ends_with(&format!("… (以下从略，全文见任务 {})", told.task_id)), "{text}");
    }
}
