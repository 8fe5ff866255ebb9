//! Reads one step.

use indexmap::IndexMap;

use super::{
    super::{
        codes,
        reader::{Fields, Text, Unknown},
        report::Report,
        template::is_step_id,
        yaml::{Node, Value},
    },
    Approval, Step, StepMarks, checks,
    parse::{Draft, LONGEST},
    references::Scope,
};

/// Most attempts at a step.
const MOST_ATTEMPTS: u32 = 5;
/// Longest time an attempt may be given: a day.
const LONGEST_TIMEOUT: u32 = 86_400;

impl Draft {
    /// Reads one step at `scope` and counts it, readable or not.
    pub(super) fn step(
        &mut self,
        mut fields: Fields<'_>,
        scope: Scope,
        report: &mut Report<'_>,
    ) -> Option<Step> {
        let employee = fields.required_text("employee", report);
        let id = fields.text("id", report).filter(|id| !id.value.trim().is_empty());
        let args = fields.text_map("args", report);
        let model = fields.optional("model", report);
        let attempts = attempts(&mut fields, report);
        let timeout_seconds = fields.whole("timeout_seconds", 1..=LONGEST_TIMEOUT, report);
        let approval = approval(&mut fields, report);
        let when = fields.get("when").and_then(|node| checks::test(node, "a `when`", report));
        let may_be_skipped = fields.key("when").is_some();
        fields.finish(Unknown::Warned, &[], report);
        if let Some(id) = &id {
            self.check_id(id, report);
        }
        let texts = args.values().cloned().chain(when.as_ref().map(|when| when.check.clone()));
        texts.for_each(|text| self.board.text(text, scope));
        self.board.step(id.as_ref().map(|id| id.value.trim().to_owned()), scope, may_be_skipped);
        let employee = employee?;
        self.marks.push(StepMarks {
            employee: employee.span,
            args: args.iter().map(|(name, text)| (name.clone(), text.span)).collect(),
        });
        Some(Step {
            id: id.map(|id| id.value.trim().to_owned()),
            employee: employee.value.trim().to_owned(),
            args: args.into_iter().map(|(name, text)| (name, text.value)).collect::<IndexMap<_, _>>(),
            model,
            attempts,
            timeout_seconds,
            approval,
            when: when.map(|when| when.test),
        })
    }

    fn check_id(&mut self, id: &Text, report: &mut Report<'_>) {
        let value = id.value.trim();
        if !is_step_id(value) || value.len() > LONGEST {
            report
                .error(
                    codes::INVALID_NAME,
                    id.span,
                    format!("`{}` is no id for a step", value.escape_debug()),
                )
                .help("use letters, digits, `-` and `_`, not digits alone");
            return;
        }
        if let Some(first) = self.ids.get(value) {
            report
                .error(codes::DUPLICATE_ID, id.span, format!("there are two steps `{value}`"))
                .label("again here")
                .also(*first, "first here");
            return;
        }
        self.ids.insert(value.to_owned(), id.span);
    }
}

/// `retry: 3`, or `retry: {attempts: 3}`: how often the step is tried in all.
fn attempts(fields: &mut Fields<'_>, report: &mut Report<'_>) -> u32 {
    let is_map = |node: &Node| matches!(node.value, Value::Map(_));
    match fields.get("retry") {
        None => 1,
        Some(node) if is_map(node) => {
            let Some(mut inner) = Fields::of(node, "a `retry`", report) else { return 1 };
            inner.require("attempts", report);
            let attempts = inner.whole("attempts", 1..=MOST_ATTEMPTS, report);
            inner.finish(Unknown::Warned, &[], report);
            attempts.unwrap_or(1)
        }
        Some(_) => fields.whole("retry", 1..=MOST_ATTEMPTS, report).unwrap_or(1),
    }
}

/// `approval: true`, or the question that is asked.
fn approval(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Approval> {
    let text = fields.text("approval", report)?;
    match text.value.trim() {
        "" | "false" | "no" | "off" => None,
        "true" | "yes" | "on" => Some(Approval { question: String::new() }),
        question => Some(Approval { question: question.to_owned() }),
    }
}
