//! Texts with `{{name}}` places to begin a definition from. A value is put in so that the YAML around it stays right.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::ground::{self, Refusal};
use crate::{
    base::text::closest,
    defs::{is_name, yaml_text},
    store::document,
};

/// Those that come with the program.
const BUILT_IN: [(&str, &str); 2] = [
    ("advanced-employee", include_str!("templates/advanced-employee.md")),
    ("meta-prompt", include_str!("templates/meta-prompt.md")),
];
/// Where a project has its own, which go before those.
const FOLDER: &str = ".crew/templates";

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateFile {
    /// The stem of its file.
    pub name: String,
    /// `builtin` or `project`.
    pub layer: &'static str,
    /// Its file from the root; empty for one that comes with the program.
    pub path: String,
    #[serde(skip)]
    text: String,
}

/// All templates, by name.
pub fn all(root: &Path) -> Vec<TemplateFile> {
    let mut found: BTreeMap<String, TemplateFile> = BUILT_IN
        .into_iter()
        .map(|(name, text)| {
            let file = TemplateFile {
                name: name.to_owned(),
                layer: "builtin",
                path: String::new(),
                text: text.to_owned(),
            };
            (name.to_owned(), file)
        })
        .collect();
    let entries = fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for file in names {
        let Some(stem) = file.strip_suffix(".md").filter(|stem| !stem.is_empty() && !stem.starts_with('.'))
        else {
            continue;
        };
        let relative = Path::new(FOLDER).join(&file);
        let Ok(path) = ground::below(root, &relative) else { continue };
        let Ok(Some(text)) = ground::text(&path) else { continue };
        let path = relative.display().to_string();
        found.insert(stem.to_owned(), TemplateFile { name: stem.to_owned(), layer: "project", path, text });
    }
    found.into_values().collect()
}

/// The text of a template, its places filled with `vars` and what follows from the name of the employee.
///
/// # Errors
/// When there is no such template, the name is none, or a value is missing that the front matter needs.
pub fn apply(
    root: &Path,
    template: &str,
    employee: Option<&str>,
    vars: &[(String, String)],
) -> Result<String, Refusal> {
    let templates = all(root);
    let Some(found) = templates.iter().find(|found| found.name == template) else {
        let near = closest(template, templates.iter().map(|found| found.name.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Refusal::Unfit(format!("there is no template `{template}`{hint}")));
    };
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    if let Some(name) = employee {
        if !is_name(name) {
            return Err(Refusal::Name(name.to_owned()));
        }
        values.insert("name", name.to_owned());
        values.insert("display_name", titled(name));
        values.insert("character_name", String::new());
        values.insert("description", format!("What {name} does, in one line"));
        for list in ["tags", "triggers", "tools", "context"] {
            values.insert(list, "[]".to_owned());
        }
    }
    values.extend(vars.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let mut open = places(&found.text);
    open.retain(|name| !values.contains_key(name));
    if open.is_empty() {
        return Ok(fill(&found.text, &values));
    }
    let names = open.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let how = if employee.is_none() {
        "; `--employee NAME` fills in most, `--var name=value` one"
    } else {
        "; give each with `--var name=value`"
    };
    Err(Refusal::Unfit(format!("template `{template}` needs {names}{how}")))
}

/// The places in the front matter of a template, each once. In the text below it, `{{` may be meant.
fn places(text: &str) -> Vec<&str> {
    let matter =
        text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")).map_or("", |(matter, _)| matter);
    let mut open = Vec::new();
    for part in matter.split("{{").skip(1) {
        if let Some((name, _)) = part.split_once("}}")
            && !open.contains(&name.trim())
        {
            open.push(name.trim());
        }
    }
    open
}

/// Writes what came of a template; below `private/employees` unless it is said where.
///
/// # Errors
/// When there is something already and `force` is not given, or the place is outside the project.
pub fn write(
    root: &Path,
    text: &str,
    output: Option<&Path>,
    name: &str,
    force: bool,
) -> Result<String, Refusal> {
    let relative = match output {
        Some(path) => path.to_owned(),
        None if is_name(name) => PathBuf::from(format!("private/employees/{name}.md")),
        None => return Err(Refusal::Name(name.to_owned())),
    };
    // A path that was spelt out from the root of the disk was meant.
    let path = if relative.is_absolute() { relative.clone() } else { ground::below(root, &relative)? };
    if force {
        document::publish(&path, text.as_bytes())?;
    } else if !document::create(&path, text.as_bytes())? {
        return Err(Refusal::Exists(relative.display().to_string()));
    }
    Ok(relative.display().to_string())
}

/// Fills `{{ name }}` once; a place without a value stays.
fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fences = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" {
            fences += 1;
        }
        fill_line(line, fences == 1, values, &mut out);
    }
    out
}

fn fill_line(line: &str, in_yaml: bool, values: &BTreeMap<&str, String>, out: &mut String) {
    // In the YAML, a value that is all of a field is written as YAML; `[]` is a list and stays one.
    if in_yaml
        && let Some((key, rest)) = line.split_once(": ")
        && let Some(name) = rest.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"))
        && let Some(value) = values.get(name.trim())
    {
        let is_list = value.starts_with('[') && value.ends_with(']');
        let value = if is_list { value.clone() } else { yaml_text(value) };
        out.extend([key, ": ", value.as_str(), "\n"]);
        return;
    }
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let place = after.split_once("}}").and_then(|(name, after)| Some((values.get(name.trim())?, after)));
        match place {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

fn titled(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::{Source, parse_employee};

    #[test]
    fn what_is_applied_is_a_definition_whatever_the_values() {
        let folder = tempfile::tempdir().unwrap();
        for value in ["foo: bar", "[x] # y", "审查：代码", "{{name}}", "- a"] {
            let vars = [("description".to_owned(), value.to_owned())];
            for (template, _) in BUILT_IN {
                let text = apply(folder.path(), template, Some("a-b"), &vars).unwrap();
                let (employee, diagnostics) = parse_employee(&Source::new("x.md", text.as_str()));
                assert!(diagnostics.is_empty(), "{diagnostics:?}\n{text}");
                assert_eq!(employee.unwrap().description, value);
            }
        }
    }

    #[test]
    fn nothing_is_written_outside_or_twice() {
        let folder = tempfile::tempdir().unwrap();
        assert!(apply(folder.path(), "advanced-employee", Some("../x"), &[]).is_err());
        assert!(
            apply(folder.path(), "advancd-employee", None, &[])
                .unwrap_err()
                .to_string()
                .contains("did you mean")
        );
        assert!(write(folder.path(), "x", Some(Path::new("../x.md")), "x", true).is_err());
        assert!(write(folder.path(), "x", None, "x", false).is_ok());
        assert!(write(folder.path(), "x", None, "x", false).is_err());
    }
}
