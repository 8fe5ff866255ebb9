use serde_json::value::RawValue;

use super::*;
use crate::protocol::{
    Host, Info,
    testing::Client,
    tool::{Tool, ToolOutcome},
};

/// Keeps the skill `greet`, and `folders` of it if asked.
struct Shelf {
    folders: bool,
}

const SKILL: &str = "skill://greet/SKILL.md";

fn skill() -> Skill {
    let frontmatter = json!({"name": "greet", "description": "Says hello", "license": "MIT"});
    let file = File { uri: SKILL.into(), digest: format!("sha256:{}", "0".repeat(64)), size: 3 };
    Skill {
        uri: SKILL.into(),
        frontmatter: frontmatter.as_object().unwrap().clone(),
        resources: Files::All(vec![file]),
    }
}

impl Host for Shelf {
    fn info(&self) -> Info {
        Info::default()
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::default()
    }

    fn call_tool<'a>(
        &'a self,
        _: &'a str,
        _: &'a RawValue,
        _: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        Box::pin(async { Err(Error::internal("no tools")) })
    }

    fn skills(&self) -> Option<&dyn SkillHost> {
        Some(self)
    }
}

impl SkillHost for Shelf {
    fn list<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Skill]>, Error>> {
        Box::pin(async { Ok(Arc::from([skill()])) })
    }

    fn folders(&self) -> Option<&dyn Folders> {
        self.folders.then_some(self as _)
    }
}

impl Folders for Shelf {
    fn read<'a>(&'a self, uri: &'a str, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Resource]>, Error>> {
        Box::pin(async move {
            match uri {
                "skill://greet/many" => Ok((0..201).map(|_| Resource::default()).collect()),
                "skill://greet/none" => Ok(Arc::default()),
                _ => Err(Error::not_a_folder(uri)),
            }
        })
    }
}

async fn ask(client: &Client, method: &str, params: Value) -> Result<Value, Error> {
    client.ask(Arc::new(Shelf { folders: true }), method, params).await
}

#[tokio::test]
async fn skills_are_listed_and_found_in_both_eras() {
    let entry = json!({
        "uri": SKILL,
        "frontmatter": {"name": "greet", "description": "Says hello", "license": "MIT"},
        "resources": [{"uri": SKILL, "digest": format!("sha256:{}", "0".repeat(64)), "size": 3}],
    });
    let (modern, legacy) = (Client::plain(), Client::plain().of(Version::V2025_06_18));
    for client in [&modern, &legacy] {
        let listed = ask(client, "skills/list", json!({})).await.unwrap();
        assert_eq!(listed["skills"], json!([entry]));
        assert_eq!(listed.get("ttlMs").is_some(), client.version.describes_results());
        let found = ask(client, "skills/get", json!({"uri": SKILL})).await.unwrap();
        assert_eq!(found["skill"], entry);
        for params in [json!({"uri": "skill://greet"}), json!({"uri": 1}), json!({})] {
            let error = ask(client, "skills/get", params).await.unwrap_err();
            assert_eq!(error.code(), -32602);
        }
        assert_eq!(ask(client, "skills/list", json!({"cursor": "x"})).await.unwrap_err().code(), -32602);
    }
}

#[tokio::test]
async fn folders_are_read_page_by_page() {
    let client = Client::plain().of(Version::V2025_11_25);
    let read = async |params: Value| ask(&client, "resources/directory/read", params).await;
    let first = read(json!({"uri": "skill://greet/many"})).await.unwrap();
    assert_eq!(first["resources"].as_array().unwrap().len(), 200);
    let next = json!({"uri": "skill://greet/many", "cursor": first["nextCursor"]});
    let second = read(next).await.unwrap();
    assert_eq!(second["resources"].as_array().unwrap().len(), 1);
    assert_eq!(second.get("nextCursor"), None);
    assert_eq!(read(json!({"uri": "skill://greet/none"})).await.unwrap(), json!({"resources": []}));
    assert_eq!(read(json!({"uri": SKILL})).await.unwrap_err().code(), -32602);
}

#[tokio::test]
async fn what_is_offered_is_announced() {
    async fn check(folders: bool, settings: Value) {
        let host = || Arc::new(Shelf { folders });
        let told = Client::plain().ask(host(), "server/discover", json!({})).await.unwrap();
        assert_eq!(told["capabilities"]["extensions"][EXTENSION], settings);
        let legacy = Client::plain().of(Version::V2024_11_05);
        let hello = json!({"protocolVersion": "2024-11-05"});
        let told = legacy.ask(host(), "initialize", hello).await.unwrap();
        assert_eq!(told["capabilities"]["extensions"][EXTENSION], settings);
        let read = legacy.ask(host(), "resources/directory/read", json!({"uri": "skill://greet/none"}));
        assert_eq!(read.await.is_ok(), folders);
    }
    check(true, json!({"directoryRead": true})).await;
    check(false, json!({})).await;
}

#[test]
fn what_has_no_digests_says_so() {
    let skill = Skill { resources: Files::Dynamic, ..skill() };
    assert_eq!(serde_json::to_value(skill).unwrap()["resources"], "dynamic");
}
