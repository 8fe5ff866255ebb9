//! The names of what can be said about definitions in their files and beside each other.

use crate::defs::codes::codes;

codes! {
    /// A file or a folder that cannot be read.
    UNREADABLE_FILE = "unreadable-file";
    /// A file that is no UTF-8 text.
    NOT_UTF8 = "not-utf8";
    /// A file that is larger than any definition.
    FILE_TOO_LARGE = "file-too-large";
    /// A link that leads out of the folder it is in.
    OUTSIDE_PROJECT = "outside-project";
    /// A folder with more entries than are looked at.
    TOO_MANY_FILES = "too-many-files";
    /// Two employees of one layer share a name.
    DUPLICATE_EMPLOYEE = "duplicate-employee";
    /// An employee is hidden by one of a higher layer.
    SHADOWED_EMPLOYEE = "shadowed-employee";
    /// A trigger does not lead to its employee.
    SHADOWED_TRIGGER = "shadowed-trigger";
    /// Two pipelines share a name.
    DUPLICATE_PIPELINE = "duplicate-pipeline";
    /// A file that defines nothing known.
    UNRECOGNISED_FILE = "unrecognised-file";
    /// Two discussions share a name.
    DUPLICATE_DISCUSSION = "duplicate-discussion";
    /// Two skills of an employee share a name.
    DUPLICATE_SKILL = "duplicate-skill";
    /// A skill says that it is somebody else's than its folder says.
    ODD_OWNER = "odd-owner";
    /// One employee takes part twice under two names, or is to be challenged without taking part.
    ODD_PARTICIPANT = "odd-participant";
    /// A pipeline that is not there.
    UNKNOWN_PIPELINE = "unknown-pipeline";
    /// A step for an employee that is not there.
    UNKNOWN_EMPLOYEE = "unknown-employee";
    /// A step does not give what its employee needs.
    MISSING_ARG = "missing-arg";
    /// A step gives what its employee does not take.
    UNKNOWN_ARG = "unknown-arg";
    /// A webhook or schedule starts something that is not there.
    UNKNOWN_TARGET = "unknown-target";
    /// A result is to go to a destination that is not there.
    UNKNOWN_DESTINATION = "unknown-destination";
    /// A file that held something and was emptied while a server ran.
    EMPTIED_FILE = "emptied-file";
    /// A schedule that was added has the name of one that is written down.
    SHADOWED_SCHEDULE = "shadowed-schedule";
}

#[cfg(test)]
mod tests {
    #[test]
    fn differ_from_those_of_definitions() {
        for code in super::ALL {
            assert!(!crate::defs::codes::ALL.contains(code), "{code}");
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || b"-8".contains(&byte)), "{code}");
        }
    }
}
