//! Floor 1: text to definitions and diagnostics; knows no files.
//!
//! A definition is read in one pass that notes everything wrong with it: `(Option<T>, Vec<Diagnostic>)`. A definition
//! that comes out has no doubt left in it.

mod alerts;
mod budget;
pub mod codes;
mod config;
mod cron;
mod delivery;
mod diagnostic;
mod discussion;
mod embedder;
mod emit;
mod employee;
mod front_matter;
mod kind;
mod mcp_servers;
mod memory;
mod organization;
mod pipeline;
mod reader;
mod records;
mod report;
mod retry;
mod schema;
mod serving;
mod skill;
mod slip;
mod target;
pub(crate) mod template;
mod tokens;
mod webhook;
mod yaml;

pub use alerts::OwnAlerts;
pub use budget::Budget;
pub use config::{
    Config, Dialect, KNOWN_PROVIDERS, OwnOutbound, OwnPrice, OwnProvider, OwnTasks, parse_config,
};
pub use cron::{CronConfig, CronFault, Misfire, Overlap, Schedule, cron_expression, parse_cron};
pub(crate) use delivery::is_repository;
pub use delivery::{Delivery, Destination, EnvText, Subject, SubjectPlace, Told};
pub use diagnostic::{Diagnostic, Label, Severity, Source, Span};
pub use discussion::{
    AdHoc, Background, Discussion, DiscussionMarks, ExecutionRole, Interaction, Mode, OutputFormat,
    Participant, ROUND_TEMPLATES, Role, Round, Rounds, parse_discussion, parse_discussion_marked,
};
pub use embedder::{EmbedderKind, OwnEmbedder};
pub use emit::text as yaml_text;
pub use employee::{
    Adaptor, AgentStatus, Arg, Authorship, Bump, Bumped, Employee, EmployeeFiles, EmployeeMarks, Foreign,
    Format, Origin, Output, Permissions, authorship, bump, content_hash, export, is_name, parse_agent,
    parse_employee, parse_employee_dir, parse_employee_dir_marked, parse_employee_marked, parse_recipe,
    parse_skill,
    permissions::{canonical, fits, is_pattern, may_meet, plain},
    slug, variable_name,
};
pub use kind::FileKind;
pub use mcp_servers::{McpServer, McpServers, McpWay, parse_mcp_servers, with_variables};
pub use memory::{Classification, EmployeeMemory, OwnMemory};
pub use organization::{
    Authority, ModelDefaults, Named, Organization, RouteCategory, RouteStep, RoutingTemplate, Team,
    parse_organization,
};
pub use pipeline::{
    Approval, Comparison, Condition, Item, Loop, Pattern, Pipeline, PipelineMarks, Step, StepMarks, Test,
    Work, parse_pipeline, parse_pipeline_marked,
};
pub use records::OwnRecords;
pub use retry::Retry;
pub use schema::SchemaKind;
pub use serving::OwnServing;
pub use skill::{
    ChecklistSource, EmployeeSkill, KeywordMatch, MemoryLookup, SkillAction, SkillMarks, SkillMetadata,
    SkillPriority, SkillTrigger, parse_employee_skill, parse_employee_skill_marked,
};
pub use target::{Target, TargetKind};
pub use tokens::{NamedToken, Proof, Scope, TokensConfig, parse_tokens};
pub use webhook::{Names, OnMissing, PlaceFault, Places, Route, SecretRef, WebhookConfig, parse_webhook};
