//! Where models are served, with which keys, and what they cost: settled by the project, the organization and employees.

use crate::support::{FakeModel, Project};

fn employee(name: &str, more: &str) -> String {
    format!("---\nname: {name}\ndescription: Tests models\n{more}\n---\n\nSay something.\n")
}

/// A project with one employee, `poet`.
fn project(more: &str) -> Project {
    let project = Project::empty();
    project.write(".crew/employees/poet.md", &employee("poet", more));
    project
}

async fn fake() -> FakeModel {
    FakeModel::answering(|_| Ok("said".to_owned())).await
}

const RUN: [&str; 4] = ["run", "poet", "--execute", "--json"];

fn answer(printed: &str) -> serde_json::Value {
    serde_json::from_str(printed).unwrap()
}

#[tokio::test]
async fn a_project_adds_providers_with_keys_and_prices_of_their_own() {
    let fake = fake().await;
    let project = project("model: team-large");
    project.write(
        ".crew/config.yaml",
        &format!(
            "providers:\n  gateway:\n    base_url: {}/v1\n    api_key: ${{GATEWAY_API_KEY}}\n    models: [team-]\n\
             prices:\n  team-large: {{input: 1000, output: 2000}}\n",
            fake.url
        ),
    );
    let missing = project.run(RUN).status(1);
    assert!(missing.contains("GATEWAY_API_KEY"), "{missing}");
    let printed = project.run_with(("GATEWAY_API_KEY", "gate-key-1"), RUN).success();
    assert_eq!(answer(&printed)["cost_usd"], (11.0 + 2.0 * 7.0) / 1000.0, "{printed}");
    assert_eq!(fake.keys(), [Some("gate-key-1".to_owned())]);
    assert_eq!(fake.bodies()[0]["model"], "team-large");
}

#[tokio::test]
async fn an_employee_brings_its_own_server_which_never_gets_another_key() {
    let fake = fake().await;
    let project = project(&format!("model: claude-sonnet-4-5\nbase_url: {}/v1", fake.url));
    let printed = project.run_with(("ANTHROPIC_API_KEY", "sk-ant-secret"), RUN).success();
    assert_eq!(answer(&printed)["output"], "said");
    assert!(
        fake.bodies()[0]["messages"][0]["role"] == "system",
        "spoken to as OpenAI does: {:?}",
        fake.bodies()
    );
    project.run_with(("LLM_PROXY_API_KEY", "proxy-key"), RUN).success();
    let own = format!("model: claude-sonnet-4-5\nbase_url: {}/v1\napi_key: ${{POET_API_KEY}}", fake.url);
    project.write(".crew/employees/poet.md", &employee("poet", &own));
    project.run_in(&[("POET_API_KEY", "poet-key"), ("LLM_PROXY_API_KEY", "proxy-key")], RUN).success();
    assert_eq!(fake.keys(), [None, Some("proxy-key".to_owned()), Some("poet-key".to_owned())]);
    let unset = project.run(RUN).status(1);
    assert!(unset.contains("POET_API_KEY"), "{unset}");
}

#[tokio::test]
async fn a_tier_settles_what_an_employee_leaves_open() {
    let fake = fake().await;
    let project = project("model_tier: small");
    let tier = format!(
        "model_defaults:\n  small:\n    model: gpt-4o-mini\n    base_url: {}/v1\n    api_key: ${{TIER_API_KEY}}\n",
        fake.url
    );
    project.write(".crew/organization.yaml", &tier);
    let printed = project.run_with(("TIER_API_KEY", "tier-key"), RUN).success();
    assert_eq!(answer(&printed)["model"], "gpt-4o-mini");
    let words = ["run", "poet", "--execute", "--json", "--model", "echo"];
    let asked = project.run_with(("TIER_API_KEY", "tier-key"), words).success();
    assert_eq!(answer(&asked)["model"], "echo", "what the run asks for goes first");
    let elsewhere = FakeModel::answering(|_| Ok("said".to_owned())).await;
    let own = format!("model_tier: small\nbase_url: {}/v1", elsewhere.url);
    project.write(".crew/employees/poet.md", &employee("poet", &own));
    project.run_with(("TIER_API_KEY", "tier-key"), RUN).success();
    assert_eq!(elsewhere.keys(), [None], "the key of the tier is for the server of the tier");
    assert_eq!(fake.keys(), [Some("tier-key".to_owned())]);
}

#[tokio::test]
async fn another_model_stands_in_with_its_own_key() {
    let down = FakeModel::answering(|_| Err(400)).await;
    let up = fake().await;
    let project = project("model: claude-sonnet-4-5\nfallback_model: gpt-4o");
    let env = [down.env(), up.openai_env()].concat();
    let printed = project.run_in(&env, RUN).success();
    assert_eq!(answer(&printed)["model"], "gpt-4o");
    assert_eq!(down.keys(), [Some("test-key-anthropic".to_owned())]);
    assert_eq!(up.keys(), [Some("test-key-openai".to_owned())]);
}

#[test]
fn settings_that_mean_nothing_are_refused_with_their_place() {
    let project = project("model: echo");
    project.write(
        ".crew/config.yaml",
        "default_model: echo\nproviders:\n  one: {base_url: \"ftp://x\", models: [a-]}\n",
    );
    let said = project.run(RUN).status(1);
    assert!(said.contains(".crew/config.yaml:3:"), "{said}");
    assert!(said.contains("it begins with `https://`"), "{said}");
    let listed = project.run(["lint", ".crew/config.yaml"]).status(1);
    assert!(listed.contains("invalid-value") || listed.contains("no address"), "{listed}");
}

#[test]
fn settings_that_mean_nothing_hide_nothing_else() {
    let project = project("model: echo");
    project.write(".crew/config.yaml", "default_modle: x\n");
    let checked = project.run(["check"]).status(1);
    assert!(checked.contains(".crew/config.yaml:1:1"), "{checked}");
    assert!(checked.contains("default_modle: x\n") && checked.contains("^^^"), "a caret: {checked}");
    let finished = project.run(["check", "-f", "json"]);
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((finished.code, &told["errors"]), (Some(1), &1.into()), "{told}");
    assert!(project.run(["lint"]).status(1).contains(".crew/config.yaml:1:1"));
    assert!(project.run(["list"]).success().contains("poet"));
    let prompt = RUN.into_iter().filter(|arg| *arg != "--execute");
    project.run(prompt.collect::<Vec<_>>()).success();
    // What asks a model or serves must not go on with other settings than those that were meant.
    assert!(project.run(RUN).status(1).contains(".crew/config.yaml:1:"));
    assert!(project.run(["mcp"]).status(1).contains(".crew/config.yaml:1:"));
    assert!(project.run(["serve", "--port", "0"]).status(1).contains(".crew/config.yaml:1:"));
}

#[test]
fn a_file_that_is_no_employee_is_validated_as_what_it_is() {
    let project = project("model: echo");
    project.write(".crew/config.yaml", "fallback_model: echo\n");
    project.write(".crew/cron.yaml", "schedules: []\n");
    let told = project.run(["validate", ".crew"]).success();
    assert!(told.contains("config.yaml (config)") && told.contains("cron.yaml (cron)"), "{told}");
    project.write(".crew/config.yaml", "default_model: echo\nprovider: {}\n");
    let told = project.run(["validate", ".crew/config.yaml"]).status(1);
    assert!(told.contains(":2:1") && !told.contains("recipe"), "{told}");
}

#[test]
fn the_environment_goes_before_the_project() {
    let project = project("");
    project.write(".crew/config.yaml", "default_model: echo\n");
    assert_eq!(answer(&project.run(RUN).success())["model"], "echo");
    let said = project.run_with(("CREW_DEFAULT_MODEL", "gpt-4o"), RUN).status(1);
    assert!(said.contains("OPENAI_API_KEY"), "{said}");
}
