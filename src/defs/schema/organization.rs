//! The shape of `organization.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::piece::{Flag, FullText, Secret, Text, Texts};

/// Who belongs together, who decides, and which models the project stands by.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Organization {
    /// Who works together, by an id of the team.
    teams: Option<IndexMap<String, Team>>,
    /// Who decides alone (`A`), who asks first (`B`), who depends on others (`C`).
    authority: Option<Levels>,
    /// How routing templates are grouped.
    route_categories: Option<IndexMap<String, RouteCategory>>,
    /// Ways that work usually goes.
    routing_templates: Option<IndexMap<String, RoutingTemplate>>,
    /// Models by a tier that employees may name.
    model_defaults: Option<IndexMap<String, ModelDefaults>>,
}

/// Who works together.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Team {
    /// For people.
    label: Option<Text>,
    /// Employees.
    members: Option<Texts>,
}

/// Levels of authority.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Levels {
    /// Decides alone.
    #[schemars(rename = "A")]
    alone: Option<Authority>,
    /// Asks first.
    #[schemars(rename = "B")]
    asks: Option<Authority>,
    /// Depends on others.
    #[schemars(rename = "C")]
    depends: Option<Authority>,
}

/// What a level of authority means, and who has it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Authority {
    /// For people.
    label: Option<Text>,
    /// What it allows.
    description: Option<Text>,
    /// Employees.
    members: Option<Texts>,
}

/// A group of routing templates.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RouteCategory {
    /// For people.
    label: Option<Text>,
    /// A sign for it.
    icon: Option<Text>,
}

/// A way that work usually goes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RoutingTemplate {
    /// For people.
    label: Option<Text>,
    /// Id of a category.
    category: Option<Text>,
    /// Who does what, in order.
    steps: Option<Vec<RouteStep>>,
    /// Other ways beside the main one.
    extra_flows: Option<Vec<Vec<RouteStep>>>,
    /// For filtering.
    tags: Option<Texts>,
    /// How tags are shown.
    tag_style: Option<Text>,
    /// The repository it is for.
    repo: Option<Text>,
    /// To be known.
    notes: Option<Texts>,
    /// To be heeded.
    warnings: Option<Texts>,
}

/// One part of a route.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RouteStep {
    /// What is done.
    role: FullText,
    /// Who does it.
    employee: Option<Text>,
    /// Who does it; the first who is there.
    employees: Option<Texts>,
    /// A team whose first member does it, when no employee is named.
    team: Option<Text>,
    /// More about it.
    description: Option<Text>,
    /// It may be left out.
    optional: Option<Flag>,
    /// Somebody must agree before it is done.
    approval: Option<Flag>,
    /// A person does it.
    human: Option<Flag>,
    /// A machine does it.
    ci: Option<Flag>,
    /// A sign for it.
    icon: Option<Text>,
}

/// The model of a tier, and the one to fall back to.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ModelDefaults {
    /// Name of the model.
    model: Option<Text>,
    /// Where it is served, if not at its provider's own address.
    base_url: Option<Text>,
    /// Its key; better `${NAME}`, the variable that holds it.
    api_key: Option<Secret>,
    /// Model to take when the first does not answer.
    fallback_model: Option<Text>,
    /// Where that one is served.
    fallback_base_url: Option<Text>,
    /// Its key; better `${NAME}`, the variable that holds it.
    fallback_api_key: Option<Secret>,
}
