mod meaning;

use std::fs;

use tempfile::TempDir;

use super::*;

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn document(id: &str, text: &str) -> Document {
    Document::new(id, "ann", text, now())
}

struct Fixture {
    folder: TempDir,
    index: Index,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::with_prefix("crew-index-").unwrap();
        let index = Index::open(&folder.path().join("memory/index.db")).unwrap();
        Self { folder, index }
    }

    fn of(texts: &[(&str, &str)]) -> Self {
        let this = Self::new();
        let documents: Vec<Document> = texts.iter().map(|(id, text)| document(id, text)).collect();
        this.index.put(&documents).unwrap();
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("memory/index.db")
    }

    fn hits(&self, text: &str) -> Vec<Hit> {
        self.index.search(&ask(text), &|_| true).unwrap()
    }

    #[track_caller]
    fn check(&self, text: &str, expected: &[&str]) {
        let hits = self.hits(text);
        let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).take(expected.len().max(1)).collect();
        assert_eq!(ids, expected, "{text}: {hits:?}");
    }
}

fn ask(text: &str) -> Query<'_> {
    Query { text, employees: &[], limit: 10, least: 0.0, now: now(), half_life_days: 90.0 }
}

#[test]
fn finds_what_was_said_in_other_forms() {
    let index = Fixture::of(&[
        ("a", "The payments gateway retries three times before it gives up"),
        ("b", "HTTP2 is served on port 8080 by src/web/auth_server.py since v1.2"),
        ("c", "我们决定把支付网关的超时改为三秒"),
        ("d", "架构评审定在周五，张三负责准备材料"),
        ("e", "The café closes on 24 December 2025"),
        ("f", "Written in C++, not in C"),
    ]);
    for (text, expected) in [
        ("how often is a payment retried?", "a"),
        ("gatewya retries", "a"),
        ("8080", "b"),
        ("auth_server.py", "b"),
        ("authServer", "b"),
        ("what changed in v1.2", "b"),
        ("http2", "b"),
        ("超时", "c"),
        ("支付网关多久超时", "c"),
        ("评审", "d"),
        ("张三", "d"),
        ("张", "d"),
        ("cafe", "e"),
        ("2025-12-24", "e"),
        ("c++", "f"),
    ] {
        index.check(text, &[expected]);
    }
    index.check("zebra", &[]);
    index.check("完全无关", &[]);
}

#[test]
fn a_question_is_never_syntax() {
    let index = Fixture::of(&[("a", "auth.py leaks \"the token\" (NOT the key) at target:main*")]);
    let long = "token ".repeat(200_000);
    for text in [
        "",
        " ",
        "\0",
        "😀🎉",
        "\"",
        "a\"b",
        "NOT",
        "target:main",
        "foo-bar*",
        "(",
        "%_'; drop table entry; --",
        &long,
    ] {
        index.hits(text);
    }
    index.check("auth.py", &["a"]);
    index.check(&long, &["a"]);
    index.check("😀", &[]);
    let han = "令牌".repeat(20_000);
    index.hits(&han);
}

#[test]
fn tags_and_keywords_find_and_weigh_more() {
    let index = Fixture::new();
    let mut tagged = document("a", "We keep it for thirty days");
    tagged.tags = vec!["retention".to_owned(), "数据保留".to_owned()];
    let mut keyed = document("b", "Logs go to the archive each night");
    keyed.keywords = vec!["logging".to_owned()];
    index
        .index
        .put(&[tagged, keyed, document("c", "Retention was mentioned in a long talk about other things")])
        .unwrap();
    index.check("retention", &["a", "c"]);
    index.check("数据保留", &["a"]);
    index.check("logging", &["b"]);
}

#[test]
fn what_is_known_besides_moves_equals_but_not_a_better_match() {
    let index = Fixture::new();
    let old = Timestamp::from_second(now().as_second() - 400 * 86_400).unwrap();
    let better = Document {
        importance: 1,
        confidence: 0.3,
        usefulness: 0.1,
        created_at: old,
        ..document("better", "The deploy freeze begins on Friday evening")
    };
    let worse = Document { importance: 5, usefulness: 1.0, ..document("worse", "The deploy went well") };
    let equal = Document { created_at: old, ..document("old", "Lunch is at noon in the hall") };
    let fresh = document("new", "Lunch is at noon in the yard");
    index.index.put(&[better, worse, equal, fresh]).unwrap();
    index.check("when does the deploy freeze begin", &["better"]);
    index.check("lunch at noon", &["new", "old"]);
}

#[test]
fn parts_add_up_to_the_score() {
    let index = conversation();
    let hits = index.hits("who cooks for the picnic at the lake");
    assert!(hits.len() > 3);
    for hit in &hits {
        let sum: f64 = hit.parts.iter().map(|part| part.score).sum();
        assert!((sum - hit.score).abs() < 1e-9, "{hit:?}");
    }
    let names: Vec<&str> = hits.iter().flat_map(|hit| &hit.parts).map(|part| part.name).collect();
    for name in ["words", "related words", "neighbours"] {
        assert!(names.contains(&name), "{name}");
    }
}

/// Talk in which neighbours are about the same.
fn conversation() -> Fixture {
    let topics = ["picnic lake boat", "budget audit invoice", "server outage disk", "novel chapter editor"];
    let mut texts = Vec::new();
    for (at, topic) in topics.iter().cycle().take(40).enumerate() {
        let words: Vec<&str> = topic.split(' ').collect();
        texts.push((
            format!("{at}-1"),
            format!("What about the {} and the {} number{at}?", words[0], words[1]),
        ));
        texts.push((
            format!("{at}-2"),
            format!("The {} and the {} are settled, number{at}", words[1], words[2]),
        ));
        texts.push((format!("{at}-3"), format!("Carla{at} will do it")));
        texts.push((format!("{at}-4"), format!("Then the {} is done number{at}", words[0])));
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    Fixture::of(&texts)
}

#[test]
fn an_answer_is_found_by_what_stands_around_it() {
    let index = conversation();
    let hits = index.hits("who does the novel of number7");
    let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
    assert!(ids.contains(&"7-3"), "{ids:?}");
}

#[test]
fn what_may_not_be_told_does_not_use_up_the_limit() {
    let index = Fixture::new();
    let documents: Vec<Document> = (0..300)
        .map(|at| Document {
            is_private: at % 50 != 0,
            category: if at == 299 { "decision" } else { "finding" }.to_owned(),
            ..document(&format!("{at}"), &format!("the password policy, version {at}"))
        })
        .collect();
    index.index.put(&documents).unwrap();
    let open = index.index.search(&ask("password policy"), &|facts| !facts.is_private).unwrap();
    assert_eq!(open.len(), 6);
    let decisions =
        index.index.search(&ask("password policy"), &|facts| facts.category == "decision").unwrap();
    assert_eq!(decisions.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(), ["299"]);
}

#[test]
fn what_repeats_a_better_one_waits() {
    let index = Fixture::of(&[
        ("a", "The database password is rotated every ninety days"),
        ("b", "The database password is rotated every ninety days."),
        ("c", "Ask the database team for a password"),
    ]);
    let query = Query { limit: 2, ..ask("database password rotated") };
    let hits = index.index.search(&query, &|_| true).unwrap();
    let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
    assert!(ids.contains(&"c"), "{ids:?}");
    assert_eq!(index.hits("database password rotated").len(), 3, "it is put off, not away");
}

#[test]
fn memories_of_others_are_others() {
    let index = Fixture::new();
    let bob = Document { employee: "bob".to_owned(), ..document("b", "the lighthouse is white") };
    index.index.put(&[document("a", "the lighthouse is red"), bob]).unwrap();
    let of = |names: &[&str]| -> Vec<String> {
        let employees: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let query = Query { employees: &employees, ..ask("lighthouse") };
        let mut ids: Vec<String> =
            index.index.search(&query, &|_| true).unwrap().into_iter().map(|hit| hit.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(of(&["ann"]), ["a"]);
    assert_eq!(of(&["bob"]), ["b"]);
    assert_eq!(of(&["nobody"]), Vec::<String>::new());
    assert_eq!(of(&[]), ["a", "b"]);
}

#[test]
fn changes_are_seen_and_blocks_are_kept_right() {
    let index = Fixture::new();
    let documents: Vec<Document> = (0..1500)
        .map(|at| document(&format!("{at}"), &format!("the word{at} of topic{} is said", at % 3)))
        .collect();
    index.index.put(&documents).unwrap();
    index.check("word3", &["3"]);
    index.check("word1499", &["1499"]);
    index.index.remove(&["3".to_owned(), "1499".to_owned(), "none".to_owned()]).unwrap();
    assert!(index.hits("word3").iter().all(|hit| hit.id != "3"));
    assert!(index.hits("word1499").iter().all(|hit| hit.id != "1499"));
    index.index.put(&[document("7", "now about zebras")]).unwrap();
    index.check("zebra", &["7"]);
    assert!(index.hits("word7").iter().all(|hit| hit.id != "7"));
    let important = Document { importance: 5, ..document("9", "the word9 of topic0 is said") };
    index.index.put(&[important]).unwrap();
    index.check("word9", &["9"]);
    assert_eq!(index.index.count("ann").unwrap(), 1498);
    // Most are gone: the rest is packed anew.
    let gone: Vec<String> = (10..1400).map(|at| at.to_string()).collect();
    index.index.remove(&gone).unwrap();
    assert_eq!(index.index.count("ann").unwrap(), 108);
    index.check("word1450", &["1450"]);
    index.check("word9", &["9"]);
    assert_eq!(index.hits("topic1").len(), 10);
}

#[test]
fn what_comes_one_by_one_is_packed_by_others() {
    let index = Fixture::new();
    for at in 0..600 {
        index.index.put(&[document(&format!("{at}"), &format!("the word{at} of topic{}", at % 7))]).unwrap();
    }
    let blocks = || {
        let other = Connection::open(index.path()).unwrap();
        other.query_row("select count(*) from block", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let found =
        || index.hits("what is said of word3 and topic5").into_iter().map(|hit| hit.id).collect::<Vec<_>>();
    assert!(index.index.is_unsettled());
    let before = (blocks(), found());
    index.index.pack().unwrap();
    assert_eq!((before.0, blocks()), (0, 1));
    assert_eq!(found(), before.1);
    index.index.remove(&["3".to_owned()]).unwrap();
    index.index.settle().unwrap();
    assert!(!index.index.is_unsettled() && !found().contains(&"3".to_owned()));
}

#[test]
fn a_change_that_can_wait_makes_nobody_wait() {
    let index = Fixture::of(&[("a", "lighthouse")]);
    let put = [document("b", "harbour")];
    let change = Change { employee: "ann", put: &put, stamp: Some("2"), ..Change::default() };
    let other = Connection::open(index.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    assert!(!index.index.apply_if_free(&change).unwrap());
    assert_eq!(index.index.stamp("ann").unwrap(), None);
    other.execute_batch("commit").unwrap();
    assert!(index.index.apply_if_free(&change).unwrap());
    index.check("harbour", &["b"]);
    assert_eq!(index.index.stamp("ann").unwrap().as_deref(), Some("2"));
}

#[test]
fn a_stamp_says_what_the_index_is_up_to_date_with() {
    let index = Fixture::new();
    assert_eq!(index.index.stamp("ann").unwrap(), None);
    let put = [document("a", "one")];
    index
        .index
        .apply(&Change { employee: "ann", put: &put, stamp: Some("1:20"), ..Change::default() })
        .unwrap();
    assert_eq!(index.index.stamp("ann").unwrap().as_deref(), Some("1:20"));
    let put = [document("b", "two")];
    index
        .index
        .apply(&Change { employee: "ann", anew: true, put: &put, stamp: Some("2:9"), ..Change::default() })
        .unwrap();
    assert_eq!(
        (index.index.stamp("ann").unwrap().as_deref(), index.index.count("ann").unwrap()),
        (Some("2:9"), 1)
    );
    index.check("one", &[]);
}

#[test]
fn a_torn_index_or_one_of_another_version_is_made_anew() {
    let index = Fixture::of(&[("a", "lighthouse")]);
    let path = index.path();
    drop(index.index);
    fs::write(&path, b"this is no database, however long it may be made to look".repeat(200)).unwrap();
    let opened = Index::open(&path).unwrap();
    assert_eq!(opened.stamp("ann").unwrap(), None);
    opened.put(&[document("a", "lighthouse")]).unwrap();
    drop(opened);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("create table more (x); pragma user_version = 99").unwrap();
    drop(other);
    let opened = Index::open(&path).unwrap();
    assert_eq!(opened.count("ann").unwrap(), 0);
    opened.put(&[document("a", "lighthouse")]).unwrap();
    assert_eq!(opened.search(&ask("lighthouse"), &|_| true).unwrap().len(), 1);
}

#[test]
fn a_torn_index_takes_no_part_of_a_memory_for_the_whole() {
    let index = Fixture::of(&[("a", "lighthouse")]);
    // Torn while it is open.
    Connection::open(index.path()).unwrap().execute_batch("drop table entry").unwrap();
    let put = [document("b", "harbour")];
    let change = Change { employee: "ann", put: &put, stamp: Some("2"), ..Change::default() };
    assert!(index.index.apply(&change).is_err());
    assert_eq!(index.index.stamp("ann").unwrap(), None);
    index.index.apply(&Change { anew: true, ..change }).unwrap();
    assert_eq!(index.index.stamp("ann").unwrap().as_deref(), Some("2"));
    index.check("harbour", &["b"]);
}

#[test]
fn many_make_one_index_at_once() {
    let folder = TempDir::with_prefix("crew-index-").unwrap();
    let path = folder.path().join("index.db");
    std::thread::scope(|scope| {
        for maker in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let own = Index::open(path).unwrap();
                own.put(&[document(&maker.to_string(), "tides")]).unwrap();
            });
        }
    });
    assert_eq!(Index::open(&path).unwrap().count("ann").unwrap(), 8);
}

#[test]
fn many_write_and_read_one_index() {
    let index = Fixture::new();
    let path = index.path();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let own = Index::open(path).unwrap();
                for at in 0..50 {
                    let id = format!("{writer}-{at}");
                    own.put(&[document(&id, &format!("note{writer}x{at} about tides"))]).unwrap();
                    assert!(!own.search(&ask("tides"), &|_| true).unwrap().is_empty());
                }
            });
        }
    });
    assert_eq!(index.index.count("ann").unwrap(), 200);
    index.check("note3x49", &["3-49"]);
}

/// Entries and questions in Chinese, and in Chinese and English mixed; see the file.
#[test]
fn chinese_is_found_by_its_words_names_numbers_and_tags() {
    let lines = include_str!("../../../../../tests/fixtures/memory/zh.tsv").lines();
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    let index = Fixture::new();
    let mut documents = Vec::new();
    let mut asked = Vec::new();
    for line in &lines {
        match line.as_slice() {
            ["entry", id, text, tags] => {
                let tags = tags.split(',').map(str::to_owned).collect();
                documents.push(Document { tags, ..document(id, text) });
            }
            ["ask", id, text] => asked.push((*id, *text)),
            other => panic!("{other:?}"),
        }
    }
    index.index.put(&documents).unwrap();
    assert!(asked.len() >= 200);
    let missed: Vec<_> =
        asked.iter().filter(|(id, text)| !index.hits(text).iter().take(5).any(|hit| hit.id == *id)).collect();
    assert!(missed.len() * 10 <= asked.len(), "{} of {}: {missed:?}", missed.len(), asked.len());
}
