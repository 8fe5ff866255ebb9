//! The prompt of an employee, the same on every surface.

use std::{collections::HashMap, fmt::Write as _};

use indexmap::IndexMap;

use super::{
    Error, Missing,
    surroundings::{self, Language, Surroundings},
};
use crate::{
    catalog::ProjectType,
    defs::{
        Adaptor, Employee, Format, Origin, Output,
        template::{Grammar, Place, Template, longest_name},
    },
};

/// Values for an employee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// By name; names the employee does not declare are not used.
    pub named: IndexMap<String, String>,
    /// By place: they fill the arguments that are not named, in the order these are declared.
    pub positional: Vec<String>,
}

impl Given {
    /// Values by name only.
    pub fn named(named: IndexMap<String, String>) -> Self {
        Self { named, positional: Vec::new() }
    }
}

/// What stands between the parts of a prompt.
const RULE: &str = "\n---\n\n";

/// The prompt `employee` works by: who it is, what else it is `told`, the filled `body`, and how to answer.
pub(crate) fn framed<'t>(
    employee: &Employee,
    body: &'t str,
    told: impl IntoIterator<Item = &'t str>,
    around: &Surroundings,
) -> String {
    let language = language(employee);
    let mut prompt = header(employee, language, around);
    for part in told.into_iter().chain([body]) {
        prompt.push_str(RULE);
        prompt.push_str(part);
    }
    if employee.output != Output::default() {
        prompt.push_str(&output_section(&employee.output, language));
    }
    prompt
}

/// The filled `body`, after what else is told.
pub(crate) fn parts(told: Option<&str>, body: &str) -> String {
    told.into_iter().chain([body]).collect::<Vec<_>>().join(RULE)
}

/// What the work is about: the values for the prompt and what was `said`; without any, the filled `body`.
///
/// # Errors
/// As [`body`].
pub(crate) fn task(
    employee: &Employee,
    given: &Given,
    said: Option<&str>,
    body: &str,
) -> Result<String, Error> {
    let values = Values::resolve(employee, given)?;
    let texts = values.positional.iter().copied().chain(said).map(str::trim);
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    Ok(if texts.is_empty() { body.to_owned() } else { texts.join("\n") })
}

/// How the prompt of `employee` begins; in an answer, a sign that it repeats the prompt.
pub(crate) fn opening(employee: &Employee) -> String {
    let title = employee.title();
    format!("# {title}\n\n**{}**: {title}\n", language(employee).pick("Role", "角色"))
}

/// The language of the words around the instructions of `employee`.
pub(crate) fn language(employee: &Employee) -> Language {
    Language::of(&format!("{}{}", employee.title(), employee.description))
}

/// The instructions alone, filled, without the heading and what is said about the output.
///
/// # Errors
/// [`Error::MissingArguments`] when a required value is absent or blank, [`Error::TooManyPositionals`].
pub(crate) fn body(employee: &Employee, given: &Given, around: &Surroundings) -> Result<String, Error> {
    let values = Values::resolve(employee, given)?;
    let language = language(employee);
    let body = full_body(employee, around.project.project_type.as_str());
    Ok(values.fill(&body, language, around).trim().to_owned())
}

/// The instructions of `employee` as they are told to others: filled, and where a value is needed that is not given, its
/// name in angle brackets.
pub(crate) fn background(
    employee: &Employee,
    args: &IndexMap<String, String>,
    language: Language,
    around: &Surroundings,
) -> String {
    let mut given = Given::named(args.clone());
    for arg in employee.args.iter().filter(|arg| arg.required && arg.default.is_none()) {
        let is_blank = given.named.get(&arg.name).is_none_or(|value| value.trim().is_empty());
        if is_blank {
            given.named.insert(arg.name.clone(), format!("<{}>", arg.name));
        }
    }
    let Ok(values) = Values::resolve(employee, &given) else { return String::new() };
    values
        .fill(&full_body(employee, around.project.project_type.as_str()), language, around)
        .trim()
        .to_owned()
}

/// The names of required values that `given` lacks.
///
/// # Errors
/// As [`body`].
pub(crate) fn check_arguments(employee: &Employee, given: &Given) -> Result<(), Error> {
    Values::resolve(employee, given).map(|_| ())
}

struct Values<'a> {
    employee: &'a Employee,
    by_name: HashMap<&'a str, &'a str>,
    positional: Vec<&'a str>,
}

impl<'a> Values<'a> {
    fn resolve(employee: &'a Employee, given: &'a Given) -> Result<Self, Error> {
        let mut waiting = given.positional.iter();
        let mut by_name = HashMap::with_capacity(employee.args.len());
        let mut missing = Vec::new();
        for arg in &employee.args {
            let value = given.named.get(&arg.name).or_else(|| waiting.next()).or(arg.default.as_ref());
            match value {
                Some(value) if !(arg.required && value.trim().is_empty()) => {
                    by_name.insert(arg.name.as_str(), value.as_str());
                }
                _ if arg.required => {
                    missing.push(Missing { name: arg.name.clone(), description: arg.description.clone() });
                }
                _ => {
                    by_name.insert(arg.name.as_str(), "");
                }
            }
        }
        if !missing.is_empty() {
            return Err(Error::MissingArguments { of: format!("employee `{}`", employee.name), missing });
        }
        let takes_any = employee.args.is_empty();
        if waiting.len() > 0 && !takes_any {
            return Err(Error::TooManyPositionals {
                employee: employee.name.clone(),
                takes: employee.args.len(),
                given: given.positional.len(),
            });
        }
        // By place as by name: an employee reads the same whichever way its values came.
        let positional = if takes_any {
            given.positional.iter().map(String::as_str).collect()
        } else {
            employee.args.iter().filter_map(|arg| by_name.get(arg.name.as_str()).copied()).collect()
        };
        Ok(Self { employee, by_name, positional })
    }

    fn fill(&self, body: &str, language: Language, around: &Surroundings) -> String {
        let filled = Template::parse(body, self).fill(|place| {
            Ok::<_, std::convert::Infallible>(match place {
                Place::Named(name) => self.by_name.get(name).copied().unwrap_or_default().to_owned(),
                Place::Positional(number) => {
                    self.positional.get(number - 1).copied().unwrap_or_default().to_owned()
                }
                Place::AllArguments => self.all(),
                Place::Word(word) => {
                    surroundings::word(word, &self.employee.name, language, around).unwrap_or_default()
                }
                Place::StepOutput(_) | Place::StepJson { .. } => String::new(),
            })
        });
        match filled {
            Ok(text) => text,
            Err(never) => match never {},
        }
    }

    fn all(&self) -> String {
        let values: Vec<_> = self.positional.iter().copied().filter(|value| !value.is_empty()).collect();
        values.join(" ")
    }
}

impl Grammar for Values<'_> {
    fn name_len(&self, rest: &str) -> Option<usize> {
        longest_name(rest, self.employee.args.iter().map(|arg| arg.name.as_str()))
    }
    fn braced(&self, name: &str) -> bool {
        self.employee.args.iter().any(|arg| arg.name == name)
    }
    fn positionals(&self) -> Option<usize> {
        // A subagent or a recipe takes nothing by place, so a `$1` in it belongs to some code it shows.
        let by_place = matches!(self.employee.origin, Origin::Crew | Origin::Skill);
        by_place.then_some(self.positional.len())
    }
    fn word(&self, word: &str) -> bool {
        // To other programs `{name}` is text, and often code.
        self.employee.origin == Origin::Crew && surroundings::is_word(word)
    }
}

/// The body and the adaptors that fit the project. An adaptor whose name is no kind of project fits them all.
fn full_body(employee: &Employee, project_type: &str) -> String {
    let is_kind = |name: &str| ProjectType::ALL.iter().any(|kind| kind.as_str() == name);
    let fits = |adaptor: &&Adaptor| adaptor.name == project_type || !is_kind(&adaptor.name);
    let mut body = employee.body.clone();
    for adaptor in employee.adaptors.iter().filter(fits) {
        body.push_str("\n\n");
        body.push_str(&adaptor.body);
    }
    body
}

fn header(employee: &Employee, language: Language, around: &Surroundings) -> String {
    let title = employee.title();
    let project = &around.project;
    let known = project.project_type != ProjectType::Unknown;
    let of_project = |value: &str| if known { value.to_owned() } else { String::new() };
    let rows = [
        (language.pick("Role", "角色"), title.to_owned()),
        (language.pick("Name", "姓名"), employee.character_name.clone()),
        (language.pick("Description", "描述"), employee.description.clone()),
        (language.pick("Model", "模型"), employee.model.clone().unwrap_or_default()),
        (language.pick("Tags", "标签"), employee.tags.join(", ")),
        (language.pick("Tools", "需要工具"), employee.tools.join(", ")),
        (language.pick("Read first", "预读上下文"), employee.context.join(", ")),
        (language.pick("Project type", "项目类型"), of_project(&project.display_label())),
        (language.pick("Test framework", "测试框架"), of_project(&project.test_framework)),
        ("Lint", of_project(&project.lint_tools.join(", "))),
        (language.pick("Package manager", "包管理"), of_project(&project.package_manager)),
    ];
    let mut header = format!("# {title}\n\n");
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(header, "**{label}**: {value}");
    }
    header
}

fn output_section(output: &Output, language: Language) -> String {
    let format = match output.format {
        Format::Markdown => "markdown",
        Format::Json => "json",
        Format::Text => "text",
    };
    let mut section = format!("\n\n---\n\n## {}\n\n", language.pick("Output constraints", "输出约束"));
    let _ = write!(section, "- {}: {format}", language.pick("Format", "输出格式"));
    if !output.filename.is_empty() {
        let _ = write!(section, "\n- {}: {}", language.pick("File name", "文件名"), output.filename);
    }
    if !output.dir.is_empty() {
        let _ = write!(section, "\n- {}: {}", language.pick("Folder", "目录"), output.dir);
    }
    if let Some(schema) = &output.schema {
        let label = language.pick(
            "The answer is one JSON document that fits this schema, and nothing else",
            "答案是符合此 Schema 的一个 JSON 文档，不含其他内容",
        );
        let _ = write!(section, "\n- {label}:\n\n```json\n{schema}\n```");
    }
    section
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::{base::clock, catalog::Project, defs::Arg};

    fn around() -> Surroundings {
        Surroundings {
            root: PathBuf::from("/{date}/$a"),
            project: Project::default(),
            now: clock::now().to_zoned(jiff::tz::TimeZone::UTC),
            git_branch: Some("{name}$1".to_owned()),
        }
    }

    fn worker(body: &str, origin: Origin) -> Employee {
        let arg = |name: &str| Arg { name: name.to_owned(), ..Arg::default() };
        Employee {
            name: "worker".to_owned(),
            body: body.to_owned(),
            args: vec![arg("a"), arg("ab"), arg("目标")],
            origin,
            ..Employee::default()
        }
    }

    fn filled(employee: &Employee, values: [&str; 3], around: &Surroundings) -> String {
        let given = Given { positional: values.map(str::to_owned).to_vec(), ..Given::default() };
        body(employee, &given, around).unwrap()
    }

    proptest! {
        #[test]
        fn no_value_is_looked_at_again(
            text in r"([$@{}ab12目标]|\$\{|ARGUMENTS|\{date\}|\{cwd\}|\{git_branch\}|\$a|\$目标|\$\$| ){0,30}",
            values in prop::array::uniform3(r"<[$@{}ab12目标]{0,12}(\{cwd\}|\$ARGUMENTS)?>"),
        ) {
            let around = around();
            for origin in [Origin::Crew, Origin::Skill, Origin::Agent, Origin::Recipe] {
                let employee = worker(&text, origin);
                // Marks first, and the values in their place at the end: the same must come out.
                let marked = filled(&employee, ["\u{1}", "\u{2}", "\u{3}"], &around);
                let expected: String = marked
                    .chars()
                    .map(|letter| match letter {
                        '\u{1}' => values[0].clone(),
                        '\u{2}' => values[1].clone(),
                        '\u{3}' => values[2].clone(),
                        other => other.to_string(),
                    })
                    .collect();
                let [a, b, c] = &values;
                prop_assert_eq!(filled(&employee, [a, b, c], &around), expected);
            }
        }

        #[test]
        fn no_text_makes_rendering_panic(text in "\\PC{0,80}", value in "\\PC{0,40}") {
            let around = around();
            for origin in [Origin::Crew, Origin::Skill] {
                let employee = worker(&text, origin);
                filled(&employee, [&value, "", &value], &around);
                let body = body(&employee, &Given::default(), &around).unwrap();
                framed(&employee, &body, [value.as_str()], &around);
            }
        }
    }

    #[test]
    fn a_prompt_is_known_by_how_it_begins() {
        for title in ["", "代码审查员"] {
            let employee = Employee { display_name: title.to_owned(), ..worker("x", Origin::Crew) };
            assert!(framed(&employee, "x", [], &around()).starts_with(&opening(&employee)));
        }
    }

    #[test]
    fn what_comes_out_is_as_long_as_what_goes_in() {
        // A megabyte of places and a megabyte of values: no more than their sum, however they are nested.
        let around = around();
        let employee = worker(&"$b{x}$".repeat(150_000), Origin::Crew);
        let value = "$a{date}".repeat(130_000);
        assert_eq!(filled(&employee, [&value, "", ""], &around).len(), 900_000);
        let employee = worker("$a|$目标", Origin::Crew);
        assert_eq!(filled(&employee, [&value, "", "x"], &around).len(), value.len() + 2);
    }
}
