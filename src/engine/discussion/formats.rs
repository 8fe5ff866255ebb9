//! What a discussion ends with: the form of its result, a plan of action, the file it is kept in.

use std::fmt::Write as _;

use super::Stage;
use crate::{defs::OutputFormat, engine::surroundings::Language};

/// The section that says what the result looks like, what goes with it and where it is kept.
pub(super) fn result(stage: &Stage) -> String {
    let language = stage.language;
    let mut text = held(stage);
    if let Some(file) = &stage.file {
        let _ = write!(
            text,
            "\n\n## {}\n\n{} `{file}`{}",
            language.pick("Keep it", "保存"),
            language
                .pick("When the discussion is over, write the whole result to", "讨论结束后，将完整结果写入"),
            language.pick(".", "。")
        );
    }
    text
}

/// The same without the file: whoever puts together what was held has none.
pub(super) fn held(stage: &Stage) -> String {
    let mut text = format!("## {}\n\n{}", stage.language.pick("Result", "输出格式"), form(stage));
    if stage.discussion.action_output {
        let _ = write!(text, "\n\n{}", action_plan(stage));
    }
    text
}

fn form(stage: &Stage) -> &'static str {
    let chinese = stage.language == Language::Chinese;
    match (stage.discussion.output_format, stage.discussion.is_meeting(), chinese) {
        (OutputFormat::Decision, false, false) => DECISION,
        (OutputFormat::Decision, false, true) => DECISION_ZH,
        (OutputFormat::Transcript, false, false) => TRANSCRIPT,
        (OutputFormat::Transcript, false, true) => TRANSCRIPT_ZH,
        (OutputFormat::Summary, false, false) => SUMMARY,
        (OutputFormat::Summary, false, true) => SUMMARY_ZH,
        (OutputFormat::Decision, true, false) => MEETING_DECISION,
        (OutputFormat::Decision, true, true) => MEETING_DECISION_ZH,
        (OutputFormat::Transcript, true, false) => MEETING_TRANSCRIPT,
        (OutputFormat::Transcript, true, true) => MEETING_TRANSCRIPT_ZH,
        (OutputFormat::Summary, true, false) => MEETING_SUMMARY,
        (OutputFormat::Summary, true, true) => MEETING_SUMMARY_ZH,
    }
}

/// Asks for the plan of action, and says which pipeline it is meant for.
fn action_plan(stage: &Stage) -> String {
    let language = stage.language;
    let mut text = format!(
        "## {}\n\n{}\n\n```json\n{ACTION_PLAN}\n```",
        language.pick("Plan of action", "行动计划"),
        language.pick(
            "After the result, give the plan of action as one block of JSON in this form:",
            "在结果之后，以如下格式输出一段 JSON 行动计划："
        )
    );
    if let Some(pipeline) = &stage.discussion.post_pipeline {
        let _ = match language {
            Language::Chinese => write!(text, "\n\n该计划将交给流水线 `{pipeline}` 执行。"),
            Language::English => write!(text, "\n\nThe pipeline `{pipeline}` is meant to carry it out."),
        };
    }
    text
}

const ACTION_PLAN: &str = r#"{
  "decisions": ["…"],
  "unresolved": ["…"],
  "actions": [
    {
      "id": "A1",
      "description": "…",
      "assignee_role": "executor",
      "assignee_employee": "…",
      "depends_on": [],
      "priority": "P0 | P1 | P2 | P3",
      "phase": "research | implement | review | deploy",
      "verification": "…"
    }
  ],
  "review_criteria": ["…"]
}"#;

const DECISION: &str = "### Participants

| participant | role | position |
|---|---|---|

### How it went

### Agreed

### Not agreed

### Actions

| # | action | who | priority (P0–P3) |
|---|---|---|---|

### Risks

| risk | effect | answer |
|---|---|---|";

const DECISION_ZH: &str = "### 参与者

| 参与者 | 角色 | 立场 |
|---|---|---|

### 讨论过程

### 共识

### 未解决的分歧

### 行动项

| 序号 | 事项 | 负责人 | 优先级（P0–P3） |
|---|---|---|---|

### 风险

| 风险 | 影响 | 应对 |
|---|---|---|";

const TRANSCRIPT: &str = "### Participants

### Round by round

Every speech in full, under the name of its round and its speaker.";

const TRANSCRIPT_ZH: &str = "### 参与者

### 逐轮记录

按轮次和发言人完整记录每次发言。";

const SUMMARY: &str = "### Topic

### Views

One paragraph for each participant.

### Agreed

### Next";

const SUMMARY_ZH: &str = "### 议题

### 各方观点

每位参与者一段。

### 共识

### 后续事项";

const MEETING_DECISION: &str = "### Conclusion

### Reasons

### Actions

| # | action | who | priority (P0–P3) |
|---|---|---|---|";

const MEETING_DECISION_ZH: &str = "### 结论

### 依据

### 行动项

| 序号 | 事项 | 负责人 | 优先级（P0–P3） |
|---|---|---|---|";

const MEETING_TRANSCRIPT: &str = "### Conversation

Questions and answers in full.";

const MEETING_TRANSCRIPT_ZH: &str = "### 对话记录

完整记录问答。";

const MEETING_SUMMARY: &str = "### What was said

### Next";

const MEETING_SUMMARY_ZH: &str = "### 要点

### 后续事项";
