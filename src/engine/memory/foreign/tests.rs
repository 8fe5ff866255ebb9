use super::*;
use crate::engine::memory::{Clearance, Holder, Memory, New, Settings, Traits, Transfer};

fn memory() -> (tempfile::TempDir, Memory) {
    let root = tempfile::tempdir().unwrap();
    let memory = Memory::open(root.path(), Settings::default());
    (root, memory)
}

fn export(memory: &Memory, form: Transfer) -> Value {
    let (text, _) = memory.export(&Holder::named("ann"), form, &Clearance::open()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn goes_and_comes_back(form: Transfer) {
    let (_root, there) = memory();
    let traits = Traits {
        confidence: Some(0.7),
        importance: Some(5),
        tags: Some(vec!["api".to_owned()]),
        keywords: Some(vec!["重试".to_owned()]),
        ..Traits::default()
    };
    let holder = Holder::named("ann");
    there.add(&holder, &New { traits, ..New::of(Category::Decision, "重试三次\n- 每次一秒") }).unwrap();
    let wrong = there.add(&holder, &New::of(Category::Finding, "it takes 2 days")).unwrap();
    there.correct(&holder, &wrong.entry.id, "it takes 5 days", "").unwrap();
    let text = export(&there, form).to_string();
    assert!(!text.contains("2 days"), "only what holds is carried: {text}");

    let (_root, here) = memory();
    let done = here.import(&holder, form, &text).unwrap();
    assert_eq!((done.added, done.refused_count, done.notes.len()), (2, 0, 0), "{done:?}");
    let entries = |memory: &Memory| {
        let (text, _) = memory.export(&holder, Transfer::Jsonl, &Clearance::open()).unwrap();
        let entries = text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
        entries.filter(Entry::is_live).collect::<Vec<_>>()
    };
    assert_eq!(entries(&here), entries(&there));
    assert_eq!(here.import(&holder, form, &text).unwrap().known, 2);
}

#[test]
fn what_is_carried_comes_back_as_it_was() {
    goes_and_comes_back(Transfer::Mem0);
    goes_and_comes_back(Transfer::Letta);
}

#[test]
fn memories_of_mem0_are_taken_and_given_back() {
    let theirs = json!({"results": [
        {"id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e", "memory": "Likes tea", "hash": "f1", "score": 0.5,
         "metadata": {"category": "decision", "source": "chat"}, "categories": ["Food And Drink", "!!"],
         "created_at": "2024-07-26T10:29:36.630547-07:00", "updated_at": null, "user_id": "alex", "run_id": "r1"},
        {"id": "x", "text": "no memory"},
        {"memory": "Short"},
    ], "relations": [{"source": "a"}], "next": "http://127.0.0.1/page2"});
    let (_root, memory) = memory();
    let done = memory.import(&Holder::named("ann"), Transfer::Mem0, &theirs.to_string()).unwrap();
    assert_eq!((done.added, done.refused_count), (2, 1), "{done:?}");
    assert_eq!(done.refused, ["`results[1]`: it has no text as `memory`"]);
    for part in ["`relations` is a graph", "one page of several", "`hash`", "1 of their `categories`"] {
        assert!(done.notes.iter().any(|note| note.contains(part)), "{part}: {:?}", done.notes);
    }
    let given = export(&memory, Transfer::Mem0);
    let tea = given["results"].as_array().unwrap().iter().find(|item| item["memory"] == "Likes tea").unwrap();
    let told = [&tea["id"], &tea["user_id"], &tea["run_id"], &tea["metadata"]["source"]];
    assert_eq!(told, ["892db2ae-06d9-49e5-8b3e-585ef9b85b8e", "alex", "r1", "chat"]);
    assert_eq!(tea["created_at"], "2024-07-26T17:29:36.630547+00:00");
    let ours = &tea["metadata"]["crew"];
    assert_eq!((&ours["category"], &ours["tags"][0]), (&json!("decision"), &json!("food-and-drink")));
    assert_eq!((&ours["source_session"], &ours["employee"]), (&json!("r1"), &json!("ann")));
}

#[test]
fn passages_and_blocks_of_letta_are_taken() {
    let passages = json!([{
        "id": "passage-0f0bd1b2-9b52-4c2b-9a7d-8f0a4b7a1c11", "text": "The gateway times out", "tags": ["gateway"],
        "embedding": [0.1, 0.2], "embedding_config": {}, "created_at": "2025-03-01T12:00:00Z",
        "archive_id": "archive-1", "metadata": {}, "file_name": null,
    }]);
    let agent = json!({
        "agents": [{"name": "a"}], "tools": [], "mcp_servers": [], "metadata": {},
        "blocks": [
            {"id": "block-0", "label": "human", "value": "Likes tea", "limit": 5000, "description": "who it is"},
            {"id": "block-1", "label": "persona", "value": ""},
        ],
    });
    let (_root, memory) = memory();
    let import = |text: &str| memory.import(&Holder::named("ann"), Transfer::Letta, text);
    let done = import(&passages.to_string()).unwrap();
    assert_eq!(done.added, 1, "{done:?}");
    assert!(done.notes[0].contains("`embedding`"), "{done:?}");
    let done = import(&agent.to_string()).unwrap();
    assert_eq!((done.added, done.refused_count), (1, 1), "{done:?}");
    assert!(done.refused[0].starts_with("`blocks[1]`: `content` is empty"), "{done:?}");
    assert_eq!(done.notes, ["not carried, as they are no memories: agents"]);
    let given = export(&memory, Transfer::Letta);
    assert_eq!(
        (&given[0]["text"], &given[0]["archive_id"]),
        (&json!("The gateway times out"), &json!("archive-1"))
    );
    assert_eq!((&given[1]["tags"], &given[1]["label"]), (&json!(["block", "human"]), &json!("human")));
    for odd in ["", "{}", "3", "{\"blocks\": 1}", "[1]"] {
        let refused = import(odd);
        assert!(refused.is_err() || refused.unwrap().refused_count == 1, "{odd}");
    }
}
