use std::collections::BTreeSet;

use serde_json::Value;

use super::SchemaKind;
use crate::defs::{
    Source, parse_config, parse_cron, parse_discussion, parse_employee, parse_employee_skill,
    parse_mcp_servers, parse_organization, parse_pipeline, parse_tokens, parse_webhook,
    reader::asked::{self, Asked},
};

const EMPLOYEE: &str =
    "---\nname: a\ndescription: b\nargs: [{name: x}]\noutput: {}\npermissions: {}\nmemory: {}\n---\nc\n";
const PIPELINE: &str = "
args: [{name: x}]
budget: {max_cost: 1}
deliver: [{type: webhook, url: 'https://x'}, {type: email, to: a@b.c}, {type: feishu, url: '${A}'}, {type: slack, url: '${A}'}, {type: github-comment, repository: a/b, number: 1}]
steps:
  - {employee: a, retry: {attempts: 2}, when: {check: a, equals: b}}
  - parallel: [{employee: a}]
  - condition: {check: a, equals: b, then: [{employee: a}]}
  - loop: {steps: [{employee: a}], until: {check: a, equals: b}}
";
const DISCUSSION: &str = "{topic: x, mode: discussion, budget: {max_tokens: 9}, participants: [{employee: a}], rounds: [{name: x}], output: {}}";
const WEBHOOK: &str = "routes: [{event: push, target: {type: employee, name: a, budget: {max_tokens: 9}}, deliver: [{type: webhook, url: 'https://x'}, {type: email, to: a@b.c}, {type: feishu, url: '${A}'}, {type: slack, url: '${A}'}, {type: github-comment, repository: a/b, number: 1}]}]";
const CRON: &str = "schedules: [{name: a, cron: '@daily', target_type: employee, target_name: a, budget: {max_cost: 0.5}, delivery: [{type: webhook, url: 'https://x'}, {type: email, to: a@b.c}, {type: feishu, url: '${A}'}, {type: slack, url: '${A}'}, {type: github-comment, repository: a/b, number: 1}]}]";
const ORGANIZATION: &str = "
teams: {a: {}}
authority: {A: {}}
route_categories: {a: {}}
routing_templates: {a: {steps: [{role: x}]}}
model_defaults: {a: {}}
";

const CONFIG: &str = "{providers: {a: {base_url: 'http://x', models: [a]}}, prices: {a: {input: 1, output: 2}}, outbound: {}, budget: {max_cost: 2, max_tokens: 9}, tasks: {}, memory: {embedder: {provider: openai, model: a}}, serve: {}, alerts: {notify: [a]}, destinations: {a: {type: webhook, url: 'https://x'}, b: {type: email, to: a@b.c}, c: {type: feishu, url: '${A}'}, d: {type: slack, url: '${A}'}, e: {type: github-comment}}}";
const TOKENS: &str = "tokens: [{name: ci, token: '${CI}', scopes: [run]}]";

const MCP_SERVERS: &str = "servers: {a: {command: x}}";

const EMPLOYEE_SKILL: &str = "
trigger: {type: always}
metadata: {}
actions:
  - type: query_memory
  - {type: load_checklist, params: {items: [a]}}
  - {type: read_file, params: {path: a}}
  - {type: read_wiki, params: {doc: a}}
";

/// What the parser of a kind asks for, when everything that has fields of its own is there.
fn asked(kind: SchemaKind) -> Asked {
    asked::take();
    let diagnostics = match kind {
        SchemaKind::Employee => parse_employee(&Source::new("x", EMPLOYEE)).1,
        SchemaKind::Pipeline => parse_pipeline(&Source::new("x", PIPELINE), "x").1,
        SchemaKind::Discussion => parse_discussion(&Source::new("x", DISCUSSION), "x").1,
        SchemaKind::Webhook => parse_webhook(&Source::new("x", WEBHOOK)).1,
        SchemaKind::Cron => parse_cron(&Source::new("x", CRON)).1,
        SchemaKind::Organization => parse_organization(&Source::new("x", ORGANIZATION)).1,
        SchemaKind::Config => parse_config(&Source::new("x", CONFIG)).1,
        SchemaKind::Tokens => parse_tokens(&Source::new("x", TOKENS)).1,
        SchemaKind::McpServers => parse_mcp_servers(&Source::new("x", MCP_SERVERS)).1,
        SchemaKind::EmployeeSkill => parse_employee_skill(&Source::new("x", EMPLOYEE_SKILL), "x").1,
    };
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    asked::take()
}

/// What a parser calls a map of fields, and its names among the definitions of a schema; the root has no name.
type Named = (&'static str, &'static [&'static str]);

const BUDGET: Named = ("a budget", &["Budget"]);
const DELIVERY: Named = ("a delivery", &["Webhook", "Email", "Feishu", "Slack", "GithubComment"]);

/// Where in a schema stands what a parser calls so.
const PLACES: [(SchemaKind, &[Named]); 10] = [
    (
        SchemaKind::Employee,
        &[
            ("an employee", &[""]),
            ("an argument", &["Arg"]),
            ("`output`", &["Output"]),
            ("`permissions`", &["Permissions"]),
            ("`memory` of an employee", &["Memory"]),
        ],
    ),
    (
        SchemaKind::Pipeline,
        &[
            ("a pipeline", &[""]),
            ("an argument", &["Arg"]),
            ("a step", &["Step", "Group", "ConditionItem", "LoopItem"]),
            ("a `retry`", &["Attempts"]),
            ("a `when`", &["Test"]),
            ("an `until`", &["Test"]),
            ("a condition", &["Condition"]),
            ("a loop", &["Loop"]),
            BUDGET,
            DELIVERY,
        ],
    ),
    (
        SchemaKind::Discussion,
        &[
            ("a discussion", &[""]),
            ("a participant", &["Participant"]),
            ("a round", &["Round"]),
            BUDGET,
            ("`output`", &["Output"]),
        ],
    ),
    (
        SchemaKind::Webhook,
        &[("`webhook.yaml`", &[""]), ("a route", &["Route"]), ("a target", &["Target"]), BUDGET, DELIVERY],
    ),
    (SchemaKind::Cron, &[("`cron.yaml`", &[""]), ("a schedule", &["Schedule"]), BUDGET, DELIVERY]),
    (
        SchemaKind::Organization,
        &[
            ("`organization.yaml`", &[""]),
            ("a team", &["Team"]),
            ("a level of authority", &["Authority"]),
            ("a category", &["RouteCategory"]),
            ("a routing template", &["RoutingTemplate"]),
            ("a step of a route", &["RouteStep"]),
            ("a tier of models", &["ModelDefaults"]),
        ],
    ),
    (
        SchemaKind::Config,
        &[
            ("`config.yaml`", &[""]),
            ("a provider", &["Provider"]),
            ("a price", &["Price"]),
            ("`outbound`", &["Outbound"]),
            BUDGET,
            DELIVERY,
            ("`tasks`", &["Tasks"]),
            ("`memory`", &["Memory"]),
            ("an embedder", &["Embedder"]),
            ("`serve`", &["Serving"]),
            ("`alerts`", &["Alerts"]),
        ],
    ),
    (SchemaKind::Tokens, &[("a file of tokens", &[""]), ("a token", &["Token"])]),
    (SchemaKind::McpServers, &[("`mcp_servers.yaml`", &[""]), ("a server", &["McpServer"])]),
    (
        SchemaKind::EmployeeSkill,
        &[
            ("an employee skill", &[""]),
            ("a trigger", &["Trigger"]),
            ("an action", &["QueryMemory", "LoadChecklist", "ReadFile", "ReadWiki", "Custom"]),
            ("`params` of `query_memory`", &["MemoryParams"]),
            ("`params` of `load_checklist`", &["ChecklistParams"]),
            ("`params` of `read_file`", &["FileParams"]),
            ("`params` of `read_wiki`", &["WikiParams"]),
            ("`metadata` of a skill", &["Metadata"]),
        ],
    ),
];

fn properties<'s>(schema: &'s Value, names: &[&str]) -> BTreeSet<&'s str> {
    let objects = names.iter().map(|name| match *name {
        "" => schema,
        name => &schema["definitions"][name],
    });
    objects.flat_map(|object| object["properties"].as_object().unwrap().keys()).map(String::as_str).collect()
}

#[test]
fn a_schema_has_the_keys_its_parser_knows_and_no_others() {
    for (kind, places) in PLACES {
        let (schema, asked) = (kind.schema(), asked(kind));
        for (what, names) in places {
            let known =
                asked.get(what).unwrap_or_else(|| panic!("{kind:?}: {what} is never read: {asked:?}"));
            assert_eq!(*known, properties(&schema, names), "{kind:?}: {what}");
        }
        let places: BTreeSet<_> = places.iter().map(|(what, _)| *what).collect();
        assert_eq!(asked.keys().copied().collect::<BTreeSet<_>>(), places, "{kind:?}");
    }
}

#[test]
fn every_field_says_what_it_is() {
    for kind in SchemaKind::ALL {
        let schema = kind.schema();
        let definitions = schema["definitions"].as_object();
        for object in [&schema].into_iter().chain(definitions.into_iter().flat_map(|all| all.values())) {
            for (name, field) in object["properties"].as_object().into_iter().flatten() {
                assert!(field["description"].is_string(), "{kind:?}: `{name}` has no description: {field}");
            }
        }
    }
}
