use super::*;

#[test]
fn of_a_long_text_the_beginning_and_the_end_are_sent() {
    assert_eq!(shortened(" short \n"), "short");
    let long = format!("begin{}end", "中".repeat(10_000));
    let cut = shortened(&long);
    assert_eq!(cut.chars().count(), LONGEST + 1);
    assert!(cut.starts_with("begin中") && cut.ends_with("中end"));
}

#[test]
fn another_address_model_or_length_is_another_name() {
    let embedder = |base_url: &str, model: &str, dimensions| llm::Embedder {
        wire: llm::EmbedWire::OpenAi,
        base_url: base_url.to_owned(),
        base_url_from: "a test".to_owned(),
        key: llm::Key::None,
        model: model.to_owned(),
        dimensions,
        is_own: true,
    };
    let client = llm::Client::new(llm::Settings::default(), Arc::new(llm::Meter::new()));
    let of = |embedder| Embedding::asking(client.clone(), embedder, Rules::default());
    let names = [
        of(embedder("http://127.0.0.1:1/v1/", "m", None)),
        of(embedder("https://a.example/v1", "m", None)),
        of(embedder("https://a.example/v1", "n", None)),
        of(embedder("https://a.example/v1", "n", Some(256))),
    ];
    let told: Vec<&str> = names.iter().map(Embedding::name).collect();
    assert_eq!(
        told,
        [
            "openai http://127.0.0.1:1/v1 m",
            "openai https://a.example/v1 m",
            "openai https://a.example/v1 n",
            "openai https://a.example/v1 n 256",
        ]
    );
    assert_eq!(names.map(|embedding| embedding.is_told_all()), [true, false, false, false]);
}

#[test]
#[cfg(not(feature = "static-embeddings"))]
fn a_static_model_wants_a_program_that_has_them() {
    let told = Embedding::of_folder(Path::new("/nowhere"), None, Rules::default()).check().unwrap_err();
    assert!(told.to_string().contains("--features static-embeddings"), "{told}");
}

/// A model of four words in two dimensions, in the format of model2vec.
#[cfg(feature = "static-embeddings")]
fn write_model(folder: &Path) {
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "car": 1, "automobile": 2, "cat": 3},
        },
    });
    let numbers: [f32; 8] = [0.0, 0.0, 1.0, 0.0, 0.9, 0.1, 0.0, 1.0];
    let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let header =
        serde_json::json!({"embeddings": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, data.len()]}});
    let header = header.to_string();
    let mut tensors = (header.len() as u64).to_le_bytes().to_vec();
    tensors.extend(header.bytes());
    tensors.extend(data);
    std::fs::write(folder.join("model.safetensors"), tensors).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"normalize": true}"#).unwrap();
}

#[tokio::test]
#[cfg(feature = "static-embeddings")]
async fn a_static_model_finds_what_no_word_does() {
    use crate::engine::memory::{
        Category, Clearance, Holder, Memory, New, Query, Question, Settings, Traits,
    };
    let folder = tempfile::tempdir().unwrap();
    let embedding = Embedding::of_folder(folder.path(), None, Rules::default());
    assert!(embedding.check().unwrap_err().to_string().contains("no `model.safetensors`"));
    write_model(folder.path());
    let embedding = Embedding::of_folder(folder.path(), None, Rules::default());
    embedding.check().unwrap();
    assert_eq!(embedding.try_out().await.unwrap(), 2);
    assert!(embedding.is_told_all(), "it is on this machine");
    let memory = Arc::new(Memory::open(folder.path(), Settings::default()));
    let holder = Holder::named("ann");
    for content in ["automobile", "cat"] {
        let new = New {
            category: Category::Finding,
            content: content.to_owned(),
            source_session: String::new(),
            traits: Traits::default(),
        };
        memory.add(&holder, &new).unwrap();
    }
    let filled = embedding.fill(&memory, 10, Scope::Files, &mut |_| {}).await;
    assert_eq!((filled.embedded, filled.is_complete, filled.error), (2, true, None));
    let meaning = embedding.meaning_of("car").await.unwrap();
    let question = Question { text: "car", meaning: Some(&meaning) };
    let found = memory.search(Some(&holder), question, &Query::default(), &Clearance::open()).unwrap();
    assert_eq!(found.iter().map(|found| found.entry.content.as_str()).collect::<Vec<_>>(), ["automobile"]);
    let shorter = Embedding::of_folder(folder.path(), Some(1), Rules::default());
    assert_eq!(shorter.try_out().await.unwrap(), 1);
    let longer = Embedding::of_folder(folder.path(), Some(3), Rules::default());
    assert!(longer.try_out().await.unwrap_err().to_string().contains("2 dimensions, and 3 are wanted"));
}
