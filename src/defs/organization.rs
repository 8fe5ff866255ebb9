//! Who belongs together, who decides, and which models the project stands by: `organization.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    codes,
    diagnostic::{Diagnostic, Source, Span},
    reader::{self, Fields, Unknown},
    report::Report,
    webhook::{self, SecretRef},
    yaml::{Node, Value},
};

/// `organization.yaml`.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Organization {
    /// Who works together, by an id of the team.
    pub teams: IndexMap<String, Team>,
    /// Who decides alone (`A`), who asks first (`B`), who depends on others (`C`).
    pub authority: IndexMap<String, Authority>,
    /// How routing templates are grouped.
    pub route_categories: IndexMap<String, RouteCategory>,
    /// Ways that work usually goes.
    pub routing_templates: IndexMap<String, RoutingTemplate>,
    /// Models by a tier that employees may name.
    pub model_defaults: IndexMap<String, ModelDefaults>,
}

/// Somebody named, and where the name stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Named {
    /// Name or trigger of an employee.
    pub name: String,
    /// Where in the source it stands.
    #[serde(skip)]
    pub span: Span,
}

/// Who works together.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Team {
    /// For people.
    pub label: String,
    /// Employees.
    pub members: Vec<Named>,
}

/// What a level of authority means, and who has it.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Authority {
    /// For people.
    pub label: String,
    /// What it allows.
    pub description: String,
    /// Employees.
    pub members: Vec<Named>,
}

/// A group of routing templates.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct RouteCategory {
    /// For people.
    pub label: String,
    /// A sign for it.
    pub icon: String,
}

/// A way that work usually goes.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct RoutingTemplate {
    /// For people.
    pub label: String,
    /// Id of a category.
    pub category: String,
    /// Who does what, in order.
    pub steps: Vec<RouteStep>,
    /// Other ways beside the main one.
    pub extra_flows: Vec<Vec<RouteStep>>,
    /// For filtering.
    pub tags: Vec<String>,
    /// How tags are shown.
    pub tag_style: String,
    /// The repository it is for.
    pub repo: String,
    /// To be known.
    pub notes: Vec<String>,
    /// To be heeded.
    pub warnings: Vec<String>,
}

/// One part of a route.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "these are the four switches of the file format")]
pub struct RouteStep {
    /// What is done.
    pub role: String,
    /// Who does it; the first who is there.
    pub employees: Vec<Named>,
    /// A team whose first member does it, when no employee is named.
    pub team: String,
    /// More about it.
    pub description: String,
    /// It may be left out.
    pub optional: bool,
    /// Somebody must agree before it is done.
    pub approval: bool,
    /// A person does it.
    pub human: bool,
    /// A machine does it.
    pub ci: bool,
    /// A sign for it.
    pub icon: String,
}

/// The model of a tier, and the one to fall back to.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct ModelDefaults {
    /// Name of the model.
    pub model: Option<String>,
    /// Where it is served, if not at its provider's own address.
    pub base_url: Option<String>,
    /// Its key; never shown.
    #[serde(skip)]
    pub api_key: Option<SecretRef>,
    /// Model to take when the first does not answer.
    pub fallback_model: Option<String>,
    /// Where that one is served.
    pub fallback_base_url: Option<String>,
    /// Its key; never shown.
    #[serde(skip)]
    pub fallback_api_key: Option<SecretRef>,
}

impl Organization {
    /// What employees of `tier` use where they settle nothing themselves.
    pub fn defaults_of_tier(&self, tier: &str) -> Option<&ModelDefaults> {
        self.model_defaults.get(tier.trim())
    }

    /// Everybody named, with where.
    pub fn employees(&self) -> impl Iterator<Item = &Named> {
        let templates = self.routing_templates.values();
        let steps =
            templates.flat_map(|template| template.steps.iter().chain(template.extra_flows.iter().flatten()));
        let members = self.teams.values().flat_map(|team| &team.members);
        members
            .chain(self.authority.values().flat_map(|level| &level.members))
            .chain(steps.flat_map(|step| &step.employees))
    }
}

/// Reads `organization.yaml`.
pub fn parse_organization(source: &Source) -> (Option<Organization>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found = reader::document(source, &mut report).and_then(|node| organization(&node, &mut report));
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn organization(node: &Node, report: &mut Report<'_>) -> Option<Organization> {
    if node.value == Value::Null {
        return Some(Organization::default());
    }
    let mut fields = Fields::of(node, "`organization.yaml`", report)?;
    let organization = Organization {
        teams: entries(&mut fields, "teams", "a team", team, report),
        authority: entries(&mut fields, "authority", "a level of authority", authority, report),
        route_categories: entries(&mut fields, "route_categories", "a category", category, report),
        routing_templates: entries(&mut fields, "routing_templates", "a routing template", template, report),
        model_defaults: entries(&mut fields, "model_defaults", "a tier of models", models, report),
    };
    if let Some(Value::Map(levels)) = fields.get("authority").map(|node| &node.value) {
        for (key, _) in levels {
            if let Value::Scalar { text, .. } = &key.value
                && !["A", "B", "C"].contains(&text.as_str())
            {
                let message = format!("there is no level of authority `{}`", text.escape_debug());
                report.error(codes::INVALID_VALUE, key.span, message).suggest(text, ["A", "B", "C"]);
            }
        }
    }
    check_links(&organization, &fields, report);
    fields.finish(Unknown::Warned, &[], report);
    Some(organization)
}

/// The categories and teams that routes name must be there.
fn check_links(organization: &Organization, fields: &Fields<'_>, report: &mut Report<'_>) {
    let Some(templates) = fields.peek("routing_templates") else { return };
    for (id, template) in templates.entries() {
        let id = id.escape_debug();
        let categories = &organization.route_categories;
        if let Some((name, place)) = named(template, "category")
            && !categories.is_empty()
            && !categories.contains_key(name)
        {
            let message =
                format!("the template `{id}` names a category `{}` that is not there", name.escape_debug());
            report
                .warning(codes::UNKNOWN_MEMBER, place, message)
                .suggest(name, categories.keys().map(String::as_str));
        }
        let flows = template.entry("extra_flows").into_iter().flat_map(Node::items);
        for step in template.entry("steps").into_iter().chain(flows).flat_map(Node::items) {
            if let Some((name, place)) = named(step, "team")
                && !organization.teams.contains_key(name)
            {
                let message =
                    format!("the template `{id}` names a team `{}` that is not there", name.escape_debug());
                report
                    .warning(codes::UNKNOWN_MEMBER, place, message)
                    .suggest(name, organization.teams.keys().map(String::as_str));
            }
        }
    }
}

/// What stands under `key`, if it is a name, and where.
fn named<'n>(node: &'n Node, key: &str) -> Option<(&'n str, Span)> {
    let node = node.entry(key)?;
    let Value::Scalar { text, .. } = &node.value else { return None };
    let name = text.trim();
    (!name.is_empty()).then_some((name, node.span))
}

/// A map from ids to things.
fn entries<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    what: &'static str,
    read: fn(&mut Fields<'_>, &mut Report<'_>) -> T,
    report: &mut Report<'_>,
) -> IndexMap<String, T> {
    let Some(node) = fields.get(key) else { return IndexMap::new() };
    let Value::Map(pairs) = &node.value else {
        let message =
            format!("`{key}` must be a map of ids and what they stand for, not {}", node.describe());
        report.error(codes::WRONG_TYPE, node.span, message);
        return IndexMap::new();
    };
    // Tells of keys that are no texts or are there twice.
    Fields::of(node, what, report);
    let mut found = IndexMap::new();
    for (id, value) in pairs {
        let Value::Scalar { text: id, .. } = &id.value else { continue };
        let Some(mut fields) = Fields::of(value, what, report) else { continue };
        let entry = read(&mut fields, report);
        fields.finish(Unknown::Warned, &[], report);
        found.entry(id.clone()).or_insert(entry);
    }
    found
}

fn members(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<Named> {
    fields.texts(key, report).into_iter().map(|text| Named { name: text.value, span: text.span }).collect()
}

fn team(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Team {
    Team { label: fields.string("label", report), members: members(fields, "members", report) }
}

fn authority(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Authority {
    Authority {
        label: fields.string("label", report),
        description: fields.string("description", report),
        members: members(fields, "members", report),
    }
}

fn category(fields: &mut Fields<'_>, report: &mut Report<'_>) -> RouteCategory {
    RouteCategory { label: fields.string("label", report), icon: fields.string("icon", report) }
}

fn template(fields: &mut Fields<'_>, report: &mut Report<'_>) -> RoutingTemplate {
    let mut flows = Vec::new();
    for node in fields.list("extra_flows", report) {
        match &node.value {
            Value::List(nodes) => {
                flows.push(nodes.iter().filter_map(|node| route_step(node, report)).collect());
            }
            _ => {
                let message = format!("a flow must be a list of steps, not {}", node.describe());
                report.error(codes::WRONG_TYPE, node.span, message);
            }
        }
    }
    RoutingTemplate {
        label: fields.string("label", report),
        category: fields.string("category", report),
        steps: fields.list("steps", report).iter().filter_map(|node| route_step(node, report)).collect(),
        extra_flows: flows,
        tags: fields.strings("tags", report),
        tag_style: fields.string("tag_style", report),
        repo: fields.string("repo", report),
        notes: fields.strings("notes", report),
        warnings: fields.strings("warnings", report),
    }
}

fn route_step(node: &Node, report: &mut Report<'_>) -> Option<RouteStep> {
    let mut fields = Fields::of(node, "a step of a route", report)?;
    let role = fields.required_text("role", report);
    let one = fields.text("employee", report).filter(|text| !text.value.trim().is_empty());
    let mut employees: Vec<Named> =
        one.map(|text| Named { name: text.value.trim().to_owned(), span: text.span }).into_iter().collect();
    employees.extend(members(&mut fields, "employees", report));
    let step = RouteStep {
        role: role.map(|text| text.value.trim().to_owned()).unwrap_or_default(),
        employees,
        team: fields.string("team", report),
        description: fields.string("description", report),
        optional: fields.flag("optional", report).unwrap_or_default(),
        approval: fields.flag("approval", report).unwrap_or_default(),
        human: fields.flag("human", report).unwrap_or_default(),
        ci: fields.flag("ci", report).unwrap_or_default(),
        icon: fields.string("icon", report),
    };
    fields.finish(Unknown::Warned, &[], report);
    Some(step)
}

fn models(fields: &mut Fields<'_>, report: &mut Report<'_>) -> ModelDefaults {
    let api_key = fields.get("api_key").and_then(|node| webhook::secret(node, "api_key", report));
    let fallback_api_key =
        fields.get("fallback_api_key").and_then(|node| webhook::secret(node, "fallback_api_key", report));
    ModelDefaults {
        model: fields.optional("model", report),
        base_url: fields.optional("base_url", report),
        api_key,
        fallback_model: fields.optional("fallback_model", report),
        fallback_base_url: fields.optional("fallback_base_url", report),
        fallback_api_key,
    }
}
