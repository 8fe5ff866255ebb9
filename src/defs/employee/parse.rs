//! Reads employees: one Markdown file, or a folder of files.

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        front_matter, reader,
        report::Report,
    },
    Adaptor, Employee,
    header::header,
    placeholders,
};

/// The files of an employee that is a folder.
#[derive(Debug, Clone)]
pub struct EmployeeFiles {
    /// `employee.yaml`.
    pub yaml: Source,
    /// `prompt.md`.
    pub prompt: Option<Source>,
    /// `soul.md`, which takes the place of `prompt.md` and `workflows`.
    pub soul: Option<Source>,
    /// `workflows/*.md`, in the order they are to be read.
    pub workflows: Vec<Source>,
    /// `adaptors/*.md`, each with its stem.
    pub adaptors: Vec<(String, Source)>,
}

/// Where in its source the names of an employee stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmployeeMarks {
    /// The value of `name`.
    pub name: Span,
    /// Each of [`Employee::triggers`].
    pub triggers: Vec<Span>,
}

/// Reads an employee that is one Markdown file with front matter.
pub fn parse_employee(source: &Source) -> (Option<Employee>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_employee_marked(source);
    (found.map(|(employee, _)| employee), diagnostics)
}

/// [`parse_employee`], also telling where the names stand.
pub fn parse_employee_marked(source: &Source) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found = (|| {
        let parts = front_matter::split(&mut report)?;
        let node = reader::block(parts.yaml, parts.yaml_start, &mut report)?;
        let read = header(&node, &mut report);
        let body = front_matter::prose(parts.body);
        if body.is_empty() {
            let span = Span { start: parts.body_start.saturating_sub(4), end: parts.body_start };
            report
                .error(codes::EMPTY_BODY, span, "there are no instructions after the front matter")
                .help("say below the second `---` what the employee does, in Markdown");
        }
        let (mut employee, marks) = read?;
        placeholders::check(parts.body, parts.body_start, &employee.args, &mut report);
        employee.body = body;
        Some((employee, marks))
    })();
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

/// Reads an employee that is a folder.
pub fn parse_employee_dir(files: &EmployeeFiles) -> (Option<Employee>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_employee_dir_marked(files);
    (found.map(|(employee, _)| employee), diagnostics)
}

/// [`parse_employee_dir`], also telling where in `employee.yaml` the names stand.
pub fn parse_employee_dir_marked(
    files: &EmployeeFiles,
) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(&files.yaml);
    let read = reader::document(&files.yaml, &mut report).and_then(|node| header(&node, &mut report));
    let parts: Vec<&Source> = match &files.soul {
        Some(soul) => vec![soul],
        None => files.prompt.iter().chain(&files.workflows).collect(),
    };
    if files.soul.is_none() && files.prompt.is_none() {
        report
            .error_in_file(codes::MISSING_PROMPT, "there is no `prompt.md` beside `employee.yaml`")
            .help("write the instructions into `prompt.md`");
    }
    let texts: Vec<String> =
        parts.iter().map(|part| front_matter::prose(&part.text)).filter(|text| !text.is_empty()).collect();
    let mut usable = !report.has_errors();
    let mut diagnostics = report.finish();
    if texts.is_empty()
        && let Some(part) = parts.first()
    {
        let mut report = Report::new(part);
        report.error_in_file(codes::EMPTY_BODY, "there are no instructions in this file");
        diagnostics.extend(report.finish());
        usable = false;
    }
    let Some((mut employee, marks)) = read else { return (None, diagnostics) };
    for part in parts.into_iter().chain(files.adaptors.iter().map(|(_, source)| source)) {
        let mut report = Report::new(part);
        placeholders::check(&part.text, 0, &employee.args, &mut report);
        diagnostics.extend(report.finish());
    }
    employee.body = texts.join("\n\n");
    employee.adaptors = files
        .adaptors
        .iter()
        .map(|(name, source)| Adaptor { name: name.clone(), body: front_matter::prose(&source.text) })
        .filter(|adaptor| !adaptor.body.is_empty())
        .collect();
    (usable.then_some((employee, marks)), diagnostics)
}
