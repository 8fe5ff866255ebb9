//! How much of what one text is about is in another.
//!
//! This is told by words alone: without their endings, and without those that say nothing.

use std::collections::HashSet;

use crate::{base::text::truncate, engine::memory::index};

/// Letters of a text that are looked at; what it is about is said at its beginning.
const LOOKED_AT: usize = 4000;

/// The words of a text that say what it is about.
pub(super) type Gist = HashSet<String>;

/// What `text` is about.
pub(super) fn of(text: &str) -> Gist {
    index::gist(&truncate(text, LOOKED_AT))
}

/// How much of the shorter of two gists is in the other, from 0 to 1, and the words they share. One word in common may be
/// chance, so that it counts half, two count two thirds of what they are, and so on.
pub(super) fn share(a: &Gist, b: &Gist) -> (f64, Vec<String>) {
    let mut common: Vec<String> = a.intersection(b).cloned().collect();
    common.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    let (count, least) = (common.len() as f64, a.len().min(b.len()).max(1) as f64);
    (count / least * (count / (count + 1.0)), common)
}

/// Whether a script writes words without spaces between them.
pub(super) fn is_wide(letter: char) -> bool {
    index::is_wide(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::parse_employee_skill;

    #[track_caller]
    fn check(about: &str, task: &str, expected: bool) {
        let (share, common) = share(&of(about), &of(task));
        let text = "{description: x, trigger: {type: semantic}, actions: [{type: query_memory}]}";
        let skill = parse_employee_skill(&crate::defs::Source::new("x", text), "x").0.unwrap();
        let crate::defs::SkillTrigger::Semantic { threshold, .. } = skill.trigger else { panic!("semantic") };
        assert_eq!(share >= threshold, expected, "{about} | {task}: {share} {common:?}");
    }

    #[test]
    fn what_a_task_is_about_is_told_from_what_it_only_mentions() {
        let migrations = "Review of database migrations and schema changes";
        check(migrations, "Please review the changes to our database schema", true);
        check(migrations, "Migrate the databases", true);
        check(migrations, "Review the changes of the login page", false);
        check(migrations, "Write a poem about the sea", false);
        let limits = "接口限流、熔断与配额";
        check(limits, "限流和熔断应该怎么配置", true);
        check(limits, "写一首关于大海的诗", false);
        check(limits, "", false);
    }
}
