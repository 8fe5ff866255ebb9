use std::{collections::BTreeSet, fs, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Library;
use crate::{
    app::{Environment, Journal, Settings, office, served},
    base::Tracker,
    protocol::{Error, Version, testing::Client},
    tools::Office,
};

/// A project made of files, as clients see it.
struct Sample {
    folder: tempfile::TempDir,
    office: Office,
    host: Arc<crate::mcp::Crew>,
}

const POET: &str = "---\nname: poet\ndescription: Writes\nmodel: echo\nargs:\n  - name: mood\n    default: calm\n---\nBe $mood.\n";

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 10] = [
            (".crew/employees/poet.md", POET.as_bytes()),
            (".crew/employees/a--b.md", b"---\nname: a--b\ndescription: Odd\n---\nx\n"),
            (".crew/employees/smith/employee.yaml", b"name: smith\ndescription: Forges\n"),
            (".crew/employees/smith/prompt.md", b"You forge.\n"),
            (".crew/employees/smith/soul.md", b"\xef\xbb\xbfIron.\r\n"),
            (".crew/employees/smith/SKILL.md", b"not this one"),
            (".crew/employees/smith/workflows/1 锤.md", b"Hammer.\n"),
            (".crew/employees/smith/assets/deep/x.bin", b"\xff\x00"),
            (".crew/employees/smith/.secret", b"hidden"),
            (".crew/pipelines/verse.yaml", b"name: verse\ndescription: V\nsteps:\n  - employee: poet\n"),
        ]
        .map(|(path, bytes)| (path, bytes as &[u8]));
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let settings = Settings::read(&Environment::default(), folder.path()).unwrap();
        let tracker = Tracker::new();
        let office = office::open(folder.path(), settings, Journal::None, &tracker);
        // The files are looked at when a test says so, and not else.
        let still = Tracker::new();
        still.stop();
        let host = served::host(&office, &[], crate::mcp::Scopes::default(), &still).unwrap();
        Self { folder, office, host }
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value, Error> {
        Client::plain().ask(Arc::clone(&self.host) as _, method, params).await
    }

    async fn read(&self, uri: &str) -> Result<Value, Error> {
        let read = self.ask("resources/read", json!({"uri": uri})).await?;
        Ok(read["contents"][0].clone())
    }

    async fn complete(&self, reference: Value, argument: &str, value: &str) -> Result<Value, Error> {
        let params = json!({"ref": reference, "argument": {"name": argument, "value": value}});
        Ok(self.ask("completion/complete", params).await?["completion"]["values"].clone())
    }
}

fn bytes(contents: &Value) -> Vec<u8> {
    match contents["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(contents["blob"].as_str().unwrap()).unwrap(),
    }
}

#[tokio::test]
async fn every_file_of_a_skill_is_what_its_digest_says() {
    let sample = Sample::new();
    let listed = sample.ask("skills/list", json!({})).await.unwrap();
    let skills = listed["skills"].as_array().unwrap();
    let names: Vec<_> = skills.iter().map(|skill| skill["frontmatter"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["smith", "poet"]);
    let resources = sample.ask("resources/list", json!({})).await.unwrap()["resources"].clone();
    let resource = |uri: &Value| resources.as_array().unwrap().iter().find(|one| one["uri"] == *uri).cloned();
    for skill in skills {
        let found = sample.ask("skills/get", json!({"uri": skill["uri"]})).await.unwrap();
        assert_eq!(found["skill"], *skill);
        let files = skill["resources"].as_array().unwrap();
        assert_eq!(files[0]["uri"], skill["uri"]);
        for file in files {
            let contents = sample.read(file["uri"].as_str().unwrap()).await.unwrap();
            let bytes = bytes(&contents);
            assert_eq!(file["digest"], format!("sha256:{}", hex::encode(Sha256::digest(&bytes))));
            assert_eq!(file["size"], bytes.len());
            let resource = resource(&file["uri"]).unwrap();
            assert_eq!((&resource["size"], &resource["mimeType"]), (&file["size"], &contents["mimeType"]));
        }
        let card = resource(&skill["uri"]).unwrap();
        assert_eq!(card["name"], skill["frontmatter"]["name"]);
        assert_eq!(card["description"], skill["frontmatter"]["description"]);
        assert_eq!(card["mimeType"], "text/markdown");
    }
}

#[tokio::test]
async fn a_folder_is_a_skill_with_all_that_is_in_it() {
    let sample = Sample::new();
    let skill = sample.ask("skills/get", json!({"uri": "skill://smith/SKILL.md"})).await.unwrap();
    let files = skill["skill"]["resources"].as_array().unwrap();
    let files: Vec<_> = files.iter().map(|file| file["uri"].as_str().unwrap()).collect();
    let expected = [
        "skill://smith/SKILL.md",
        "skill://smith/assets/deep/x.bin",
        "skill://smith/employee.yaml",
        "skill://smith/prompt.md",
        "skill://smith/soul.md",
        "skill://smith/workflows/1%20%E9%94%A4.md",
    ];
    assert_eq!(files, expected);
    let card = sample.read("skill://smith/SKILL.md").await.unwrap();
    let card = card["text"].as_str().unwrap();
    assert!(card.starts_with("---\nname: \"smith\"\n") && card.contains("Iron."), "{card}");
    let flow = sample.read("skill://smith/workflows/1 锤.md").await.unwrap();
    assert_eq!((&flow["text"], &flow["mimeType"]), (&json!("Hammer.\n"), &json!("text/markdown")));
    let binary = sample.read("skill://smith/assets/deep/x.bin").await.unwrap();
    assert_eq!((&binary["blob"], &binary["mimeType"]), (&json!("/wA="), &json!("application/octet-stream")));
}

#[tokio::test]
async fn nothing_else_is_shown() {
    let sample = Sample::new();
    for uri in [
        "skill://smith/.secret",
        "skill://smith/../poet.md",
        "skill://smith/%2e%2e/poet.md",
        "skill://smith/workflows",
        "skill://smith/",
        "skill://smith",
        "skill://a--b/SKILL.md",
        "skill://nobody/SKILL.md",
        "skill://",
        "skill:",
        "crew://task/none",
        "crew://task/no%2Fid",
        "",
    ] {
        assert_eq!(sample.read(uri).await.unwrap_err().code(), -32602, "{uri}");
        let found = sample.ask("skills/get", json!({"uri": uri})).await;
        assert_eq!(found.unwrap_err().code(), -32602, "{uri}");
    }
    fs::remove_file(sample.folder.path().join(".crew/employees/smith/soul.md")).unwrap();
    assert_eq!(sample.read("skill://smith/soul.md").await.unwrap_err().code(), -32602);
}

#[tokio::test]
async fn folders_are_read_level_by_level() {
    let sample = Sample::new();
    let mut folders = vec!["skill://smith".to_owned(), "skill://poet".to_owned()];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let read = sample.ask("resources/directory/read", json!({"uri": folder})).await.unwrap();
        for child in read["resources"].as_array().unwrap() {
            let uri = child["uri"].as_str().unwrap().to_owned();
            assert!(uri.strip_prefix(&folder).unwrap().starts_with('/'), "{uri}");
            if child["mimeType"] == "inode/directory" {
                folders.push(uri);
            } else {
                files.insert(uri);
            }
        }
    }
    let listed = sample.ask("resources/list", json!({})).await.unwrap();
    let uris = listed["resources"].as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap());
    let skill_files: BTreeSet<_> = uris.filter(|uri| uri.starts_with("skill:")).map(str::to_owned).collect();
    assert_eq!(files, skill_files);
    for uri in
        ["skill://smith/", "skill://smith/SKILL.md", "skill://nobody", "skill://", "crew://employee/poet", ""]
    {
        let read = sample.ask("resources/directory/read", json!({"uri": uri})).await;
        assert_eq!(read.unwrap_err().code(), -32602, "{uri}");
    }
}

#[tokio::test]
async fn an_edited_file_has_a_new_digest() {
    let sample = Sample::new();
    let digests = async || sample.ask("skills/list", json!({})).await.unwrap()["skills"].clone();
    let before = digests().await;
    assert!(!sample.office.crew.catalog().refresh().await);
    assert_eq!(digests().await, before);
    let deep = sample.folder.path().join(".crew/employees/smith/assets/deep/x.bin");
    fs::write(deep, b"other").unwrap();
    assert!(sample.office.crew.catalog().refresh().await);
    assert_ne!(digests().await, before);
}

#[tokio::test]
async fn names_and_ids_are_completed() {
    let sample = Sample::new();
    let template = |uri: &str| json!({"type": "ref/resource", "uri": uri});
    let employees = sample.complete(template("crew://employee/{name}"), "name", "po").await.unwrap();
    assert_eq!(employees, json!(["poet"]));
    let all = sample.complete(template("crew://employee/{name}"), "name", "").await.unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3);
    let pipelines = sample.complete(template("crew://pipeline/{name}"), "name", "").await.unwrap();
    assert_eq!(pipelines, json!(["verse"]));
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    assert_eq!(sample.complete(prompt("poet"), "mood", "").await.unwrap(), json!(["calm"]));
    assert_eq!(sample.complete(prompt("poet"), "other", "").await.unwrap(), json!([]));
    assert_eq!(sample.complete(prompt("nobody"), "mood", "").await.unwrap_err().code(), -32602);
    assert_eq!(sample.complete(template("crew://x/{y}"), "y", "").await.unwrap_err().code(), -32602);
    let legacy = Client::plain().of(Version::V2025_03_26);
    let params = json!({"ref": prompt("poet"), "argument": {"name": "mood", "value": "c"}});
    let told = legacy.ask(Arc::clone(&sample.host) as _, "completion/complete", params).await.unwrap();
    assert_eq!(told, json!({"completion": {"values": ["calm"], "total": 1, "hasMore": false}}));
}

#[tokio::test]
async fn a_task_is_read_by_its_id_and_not_listed() {
    let sample = Sample::new();
    let arguments = json!({"name": "poet", "execute": true});
    let params = json!({"name": "run_employee", "arguments": arguments});
    let mut ids = Vec::new();
    for _ in 0..2 {
        let run = sample.ask("tools/call", params.clone()).await.unwrap();
        ids.push(run["structuredContent"]["task_id"].as_str().unwrap().to_owned());
    }
    let record = sample.read(&format!("crew://task/{}", ids[0])).await.unwrap();
    assert_eq!(record["mimeType"], "application/json");
    let record: Value = serde_json::from_str(record["text"].as_str().unwrap()).unwrap();
    assert_eq!((&record["task_id"], &record["status"]), (&json!(ids[0]), &json!("completed")));
    let listed = sample.ask("resources/list", json!({})).await.unwrap().to_string();
    assert!(!listed.contains("crew://task"), "{listed}");
    let templates = sample.ask("resources/templates/list", json!({})).await.unwrap();
    assert!(templates.to_string().contains(r#""uriTemplate":"crew://task/{id}""#), "{templates}");
    let reference = json!({"type": "ref/resource", "uri": "crew://task/{id}"});
    ids.reverse();
    assert_eq!(sample.complete(reference, "id", "").await.unwrap(), json!(ids));
}

#[tokio::test]
async fn what_was_written_down_is_listed_and_read() {
    let sample = Sample::new();
    let write = |path: &str, text: &str| {
        let path = sample.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        ".crew/memory/poet.jsonl",
        "{\"id\":\"1\",\"category\":\"finding\",\"content\":\"open\"}\n{\"id\":\"2\",\"category\":\"finding\",\"content\":\"no\",\"classification\":\"restricted\"}\n?\n",
    );
    write(
        ".crew/memory/discussion:a.jsonl",
        "{\"id\":\"1\",\"category\":\"decision\",\"content\":\"agreed\"}\n",
    );
    write(
        ".crew/meetings/index.jsonl",
        "{\"meeting_id\":\"1\",\"topic\":\"old\"}\n?\n{\"meeting_id\":\"2_ab\",\"name\":\"new\"}\n",
    );
    write(".crew/meetings/1.md", "# What was said\n");
    let listed = sample.ask("resources/list", json!({})).await.unwrap()["resources"].clone();
    let uris: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    let expected =
        ["crew://memory/discussion%3Aa", "crew://memory/poet", "crew://meeting/2_ab", "crew://meeting/1"];
    assert_eq!(uris[uris.len() - 4..], expected);
    for uri in expected {
        sample.read(uri).await.unwrap();
    }
    let memory = sample.read("crew://memory/poet").await.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(
        memory.contains("open") && memory.contains("is no entry") && !memory.contains("restricted"),
        "{memory}"
    );
    let meeting = sample.read("crew://meeting/1").await.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(meeting.contains("What was said"), "{meeting}");
    for uri in [
        "crew://memory/smith",
        "crew://memory/..%2Fx",
        "crew://meeting/3",
        "crew://meeting/..%2Fmemory%2Fpoet",
    ] {
        assert_eq!(sample.read(uri).await.unwrap_err().code(), -32602, "{uri}");
    }
    let template = |uri: &str| json!({"type": "ref/resource", "uri": uri});
    let meetings = sample.complete(template("crew://meeting/{id}"), "id", "").await.unwrap();
    assert_eq!(meetings, json!(["2_ab", "1"]));
    let memories = sample.complete(template("crew://memory/{employee}"), "employee", "").await.unwrap();
    assert_eq!(memories, json!(["smith", "a--b", "poet", "discussion:a"]));
}

/// Notes what it hears.
#[derive(Default)]
struct Ear(parking_lot::Mutex<Vec<String>>);

impl crate::protocol::bus::Listener for Ear {
    fn hear(&self, change: crate::protocol::bus::Change<'_>) -> bool {
        self.0.lock().push(format!("{change:?}"));
        true
    }
}

#[tokio::test]
async fn only_what_differs_is_told() {
    let sample = Sample::new();
    let library = Library::new(sample.office.clone());
    let (bus, ear) = (crate::protocol::Bus::new(), Arc::new(Ear::default()));
    let _listening = bus.listen(Arc::clone(&ear) as _);
    let heard = async |path: &str, text: &str| {
        let before = library.shelves().await;
        fs::write(sample.folder.path().join(path), text).unwrap();
        assert!(sample.office.crew.catalog().refresh().await);
        let now = library.shelves().await;
        now.tell(&before, &bus);
        assert!(Arc::ptr_eq(&now.prompts, &library.shelves().await.prompts));
        std::mem::take(&mut *ear.0.lock())
    };
    let updated = |uri: &str| format!("Resource(\"{uri}\")");
    let poet = ".crew/employees/poet.md";
    assert_eq!(heard(poet, &format!("{POET}\n\n")).await, [""; 0], "nothing that anybody could see");
    let expected =
        ["Resources".to_owned(), updated("crew://employee/poet"), updated("skill://poet/SKILL.md")];
    assert_eq!(heard(poet, &POET.replace("Be", "Stay")).await, expected);
    let expected = ["Prompts", "Resources", &updated("skill://poet/SKILL.md")];
    assert_eq!(heard(poet, &POET.replace("Be", "Stay").replace("Writes", "Sings")).await, expected);
    let told = heard(".crew/employees/smith/soul.md", "Steel.\n").await;
    assert!(
        told.contains(&updated("crew://employee/smith")) && !told.contains(&"Prompts".to_owned()),
        "{told:?}"
    );
    let told = heard(".crew/employees/smith/assets/deep/x.bin", "ab").await;
    assert_eq!(told, ["Resources", &updated("skill://smith/assets/deep/x.bin")], "its type is another");
    let verse = ".crew/pipelines/verse.yaml";
    let told = heard(verse, "name: lines\ndescription: V\nsteps:\n  - employee: poet\n").await;
    assert_eq!(told, ["lines", "verse"].map(|name| updated(&format!("crew://pipeline/{name}"))));
    let told =
        heard(".crew/employees/代码.md", "---\nname: coder\ndescription: d\ntriggers: [代]\n---\nx\n").await;
    for uri in ["crew://employee/coder", "crew://employee/代", "crew://employee/%E4%BB%A3"] {
        assert!(told.contains(&updated(uri)), "{told:?}");
    }
}
