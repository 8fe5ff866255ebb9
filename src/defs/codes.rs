//! The names of everything that can be said about a definition.

/// Declares constants and the list of them all.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// All of them.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

pub(crate) use codes;

codes! {
    // Any file.
    /// The text is no YAML.
    YAML_SYNTAX = "yaml-syntax";
    /// A key is written twice in one map.
    DUPLICATE_KEY = "duplicate-key";
    /// A key is no text.
    INVALID_KEY = "invalid-key";
    /// A key that has no meaning here.
    UNKNOWN_FIELD = "unknown-field";
    /// Something that must be given is not there, or empty.
    MISSING_FIELD = "missing-field";
    /// A value of another kind than the one that is needed.
    WRONG_TYPE = "wrong-type";
    /// A value of the right kind that is not one of those allowed.
    INVALID_VALUE = "invalid-value";
    /// A text that is too long.
    TOO_LONG = "too-long";
    /// There is more to say than is said.
    TOO_MANY_PROBLEMS = "too-many-problems";

    // Employees.
    /// A Markdown file does not begin with `---`.
    MISSING_FRONT_MATTER = "missing-front-matter";
    /// The front matter is never closed by a line `---`.
    UNCLOSED_FRONT_MATTER = "unclosed-front-matter";
    /// There are no instructions.
    EMPTY_BODY = "empty-body";
    /// A folder has no `prompt.md`.
    MISSING_PROMPT = "missing-prompt";
    /// `permissions` name a tool that the employee does not declare.
    UNKNOWN_TOOL = "unknown-tool";
    /// A name that breaks the rules for names.
    INVALID_NAME = "invalid-name";
    /// Two arguments share a name.
    DUPLICATE_ARG = "duplicate-arg";
    /// A `$name` in the instructions looks like a misspelt argument.
    UNKNOWN_PLACEHOLDER = "unknown-placeholder";

    /// The folder of a skill is called something else than the skill.
    NAME_MISMATCH = "name-mismatch";
    /// A key, a token or a password is written out.
    SECRET_IN_CLEAR = "secret-in-clear";
    /// Settings that an older program left in a comment cannot be read.
    UNREADABLE_METADATA = "unreadable-metadata";
    /// Instructions hold something of another template language.
    FOREIGN_TEMPLATE = "foreign-template";

    // Pipelines.
    /// A pipeline or a group without steps.
    EMPTY_STEPS = "empty-steps";
    /// A group inside a group.
    NESTED_PARALLEL = "nested-parallel";
    /// A condition or a loop inside another.
    NESTED_BLOCK = "nested-block";
    /// Keys that do not go together in one item.
    MIXED_STEP = "mixed-step";
    /// A test that does not say, or says twice, what it compares with.
    AMBIGUOUS_TEST = "ambiguous-test";
    /// A regular expression that cannot be used.
    INVALID_PATTERN = "invalid-pattern";
    /// Two steps share an id.
    DUPLICATE_ID = "duplicate-id";
    /// A reference to a step that does not come before.
    UNKNOWN_REFERENCE = "unknown-reference";
    /// A reference to a step that may not have run.
    UNCERTAIN_REFERENCE = "uncertain-reference";
    /// A `$name` that is not among the arguments a pipeline declares.
    UNDECLARED_ARG = "undeclared-arg";
    /// Something that looks like a reference but is none.
    MALFORMED_REFERENCE = "malformed-reference";

    // Discussions.
    /// A discussion that nobody takes part in.
    NO_PARTICIPANTS = "no-participants";
    /// Somebody takes part twice.
    REPEATED_PARTICIPANT = "repeated-participant";
    /// A conversation between two with more or fewer participants than one.
    TOO_MANY_PARTICIPANTS = "too-many-participants";
    /// A rule of the discussion that nobody, or nothing, is there to follow.
    IDLE_SETTING = "idle-setting";

    // Skills of employees.
    /// A part of a skill that does nothing here.
    IDLE_ACTION = "idle-action";
    /// A path that leads out of where it may lead, or to what is closed.
    CLOSED_PATH = "closed-path";

    // The organization.
    /// A team or category that is named and not there.
    UNKNOWN_MEMBER = "unknown-member";

    // Deliveries of results.
    /// A delivery that cannot be made as it is written.
    INVALID_DELIVERY = "invalid-delivery";

    // Webhooks and schedules.
    /// A secret that is neither a text nor `${NAME}`.
    INVALID_SECRET = "invalid-secret";
    /// A `{{` without its `}}`.
    UNCLOSED_TEMPLATE = "unclosed-template";
    /// A place in a template that cannot be read.
    INVALID_TEMPLATE = "invalid-template";
    /// A cron expression that cannot be read, or never comes due.
    INVALID_CRON = "invalid-cron";
    /// A cron expression that may be meant in another way.
    ODD_CRON = "odd-cron";
    /// A time zone nobody knows.
    UNKNOWN_TIMEZONE = "unknown-timezone";
    /// Two schedules share a name.
    DUPLICATE_SCHEDULE = "duplicate-schedule";

    // Tokens.
    /// Two tokens share a name.
    DUPLICATE_TOKEN = "duplicate-token";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_unique_and_kebab_case() {
        let mut sorted = ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ALL.len());
        for code in ALL {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        }
    }
}
