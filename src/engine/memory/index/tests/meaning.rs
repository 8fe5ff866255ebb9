//! What is found by what it means.

use super::*;

const MODEL: Model<'_> = Model { name: "m", scope: "all" };

fn meaning(vector: &[f32]) -> Meaning {
    Meaning { model: MODEL.name.into(), vector: vector.into(), floor: 0.5 }
}

/// Gives all entries without a vector the one that `vector` makes of their ids.
fn fill(index: &Index, model: Model<'_>, vector: impl Fn(&str) -> Option<Vec<f32>>) -> Vec<String> {
    let mut given = Vec::new();
    while let Some(bare) = index.bare(model, 2).unwrap() {
        let vectors: Vec<_> = bare.ids.iter().map(|id| vector(id)).collect();
        index.keep(model, &bare, &vectors).unwrap();
        given.extend(bare.ids);
    }
    given
}

impl Fixture {
    fn found(&self, text: &str, meaning: &Meaning) -> Vec<Hit> {
        self.index.search_meaning(&ask(text), Some(meaning), &|_| true).unwrap()
    }

    #[track_caller]
    fn check_meaning(&self, text: &str, meaning: &Meaning, expected: &[&str]) {
        let hits = self.found(text, meaning);
        assert_eq!(hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(), expected, "{hits:?}");
        for hit in &hits {
            let sum: f64 = hit.parts.iter().map(|part| part.score).sum();
            assert!((sum - hit.score).abs() < 1e-9, "{hit:?}");
        }
    }
}

fn of_three() -> Fixture {
    let index = Fixture::of(&[
        ("car", "The automobile needs petrol"),
        ("cat", "The kitten sleeps all day"),
        ("tax", "Invoices are due in March"),
    ]);
    let given = fill(&index.index, MODEL, |id| {
        Some(match id {
            "car" => vec![1.0, 0.0, 0.0],
            "cat" => vec![0.0, 2.0, 0.0],
            _ => vec![0.0, 0.0, -3.0],
        })
    });
    assert_eq!(given, ["car", "cat", "tax"]);
    index
}

#[test]
fn what_no_word_finds_is_found_by_what_it_means() {
    let index = of_three();
    index.check("vehicle fuel", &[]);
    index.check_meaning("vehicle fuel", &meaning(&[0.9, 0.1, 0.0]), &["car"]);
    let hits = index.found("vehicle fuel", &meaning(&[0.9, 0.1, 0.0]));
    assert_eq!(hits[0].parts[0].name, "meaning");
}

#[test]
fn what_is_only_a_little_alike_does_not_count() {
    let index = of_three();
    let between = Meaning { floor: 0.6, ..meaning(&[1.0, 1.0, 1.0]) };
    index.check_meaning("nothing", &between, &[]);
    index.check_meaning("nothing", &meaning(&[0.0, 0.0, 1.0]), &[]);
    let near = Meaning { floor: 0.4, ..meaning(&[0.9, 0.5, 0.0]) };
    index.check_meaning("nothing", &near, &["car", "cat"]);
}

#[test]
fn both_ways_together_go_before_either_alone() {
    let index = Fixture::of(&[
        ("both", "deploy on Friday is forbidden"),
        ("word", "deploy notes of the Friday team and other things that were written down"),
        ("mean", "releases before the weekend are not allowed"),
    ]);
    fill(&index.index, MODEL, |id| {
        Some(match id {
            "both" => vec![1.0, 0.1],
            "mean" => vec![1.0, 0.0],
            _ => vec![0.0, 1.0],
        })
    });
    let hits = index.found("Friday deploy", &meaning(&[1.0, 0.0]));
    assert_eq!(hits[0].id, "both", "{hits:?}");
    assert!(hits[0].score > 0.8 && hits[0].score <= 1.0 + 0.1, "{hits:?}");
    // Words count twice what meaning does.
    let ids: Vec<_> = hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!(ids, ["both", "word", "mean"], "{hits:?}");
    assert!(hits[1].score < 0.7 && hits[2].score < 0.4, "{hits:?}");
}

#[test]
fn a_changed_text_loses_its_vector_and_is_asked_for_again() {
    let index = of_three();
    let east = meaning(&[1.0, 0.0, 0.0]);
    index.index.put(&[document("car", "Bicycles need no petrol")]).unwrap();
    index.check_meaning("nothing", &east, &[]);
    assert_eq!(fill(&index.index, MODEL, |_| Some(vec![0.0, 1.0, 0.0])), ["car"]);
    index.check_meaning("nothing", &east, &[]);
    index.check_meaning("nothing", &meaning(&[0.0, 1.0, 0.0]), &["car", "cat"]);
    // What is said of it besides is no other text.
    index.index.put(&[Document { importance: 5, ..document("cat", "The kitten sleeps all day") }]).unwrap();
    assert!(fill(&index.index, MODEL, |_| None).is_empty());
    index.index.remove(&["cat".to_owned()]).unwrap();
    index.check_meaning("nothing", &meaning(&[0.0, 1.0, 0.0]), &["car"]);
    assert_eq!(index.index.coverage().unwrap().vectors, 2);
}

#[test]
fn what_is_written_anew_keeps_the_vectors_of_what_it_still_says() {
    let index = of_three();
    let put = [document("car", "The automobile needs petrol"), document("new", "Something else")];
    index.index.apply(&Change { employee: "ann", anew: true, put: &put, ..Change::default() }).unwrap();
    index.check_meaning("nothing", &meaning(&[1.0, 0.0, 0.0]), &["car"]);
    assert_eq!(index.index.coverage().unwrap().vectors, 1, "those of what is gone are gone");
    assert_eq!(fill(&index.index, MODEL, |_| Some(vec![0.0, 1.0, 0.0])), ["new"]);
}

#[test]
fn vectors_of_two_models_or_lengths_are_never_compared() {
    let index = of_three();
    let other = Model { name: "other", scope: "all" };
    let of_other = Meaning { model: other.name.into(), ..meaning(&[1.0, 0.0, 0.0]) };
    index.check_meaning("nothing", &of_other, &[]);
    index.check_meaning("nothing", &meaning(&[1.0, 0.0]), &[]);
    // Another model: all are made anew, a few at a time.
    let first = index.index.bare(other, 1).unwrap().unwrap();
    assert_eq!(index.index.keep(other, &first, &[Some(vec![1.0, 0.0])]).unwrap(), Kept::Here);
    index.check_meaning("nothing", &meaning(&[1.0, 0.0, 0.0]), &[]);
    let of_other = Meaning { model: other.name.into(), ..meaning(&[1.0, 0.0]) };
    index.check_meaning("nothing", &of_other, &["car"]);
    assert_eq!(index.index.coverage().unwrap().waiting, 2);
    // Whoever still makes those of the first model is told that nobody wants them.
    assert_eq!(index.index.keep(MODEL, &first, &[Some(vec![1.0, 0.0, 0.0])]).unwrap(), Kept::Foreign);
    assert_eq!(fill(&index.index, other, |_| Some(vec![1.0, 0.0])), ["cat", "tax"]);
    // The same model, and its vectors are longer all at once.
    index.index.put(&[document("new", "Something else")]).unwrap();
    let bare = index.index.bare(other, 10).unwrap().unwrap();
    assert_eq!(index.index.keep(other, &bare, &[Some(vec![0.0, 0.0, 1.0])]).unwrap(), Kept::Alone);
    let coverage = index.index.coverage().unwrap();
    assert_eq!((coverage.vectors, coverage.dimensions, coverage.waiting), (1, 3, 3), "{coverage:?}");
    assert_eq!(fill(&index.index, other, |_| Some(vec![0.0, 1.0, 0.0])), ["car", "cat", "tax"]);
}

#[test]
fn what_is_to_have_no_vector_is_asked_about_once_and_again_when_that_may_be_otherwise() {
    let index = Fixture::of(&[("a", "one"), ("b", "two")]);
    let open = Model { name: "m", scope: "open" };
    let some = |id: &str| (id == "a").then(|| vec![1.0]);
    assert_eq!(fill(&index.index, open, some), ["a", "b"]);
    assert!(fill(&index.index, open, some).is_empty());
    assert_eq!(index.index.coverage().unwrap().waiting, 0);
    let told = Document { classification: "public".to_owned(), ..document("b", "two") };
    index.index.put(&[told]).unwrap();
    assert_eq!(fill(&index.index, open, some), ["b"]);
    assert_eq!(fill(&index.index, MODEL, some), ["b"], "of another scope");
    index.index.discard_vectors().unwrap();
    assert_eq!(fill(&index.index, MODEL, some), ["a", "b"]);
}

#[test]
fn vectors_are_those_of_whom_is_asked_about_and_of_what_may_be_told() {
    let index = of_three();
    let other = Document { employee: "bob".to_owned(), ..document("van", "A lorry") };
    index.index.put(&[other]).unwrap();
    fill(&index.index, MODEL, |_| Some(vec![1.0, 0.0, 0.0]));
    let east = meaning(&[1.0, 0.0, 0.0]);
    let of = |employees: &[String]| {
        let hits = index
            .index
            .search_meaning(&Query { employees, ..ask("x") }, Some(&east), &|facts| facts.id != "hidden");
        hits.unwrap().into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    assert_eq!(of(&["bob".to_owned()]), ["van"]);
    assert_eq!(of(&["ann".to_owned()]), ["car"]);
    let hits = index.index.search_meaning(&ask("x"), Some(&east), &|facts| facts.employee == "bob").unwrap();
    assert_eq!(hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(), ["van"]);
}

#[test]
fn a_memory_in_which_all_is_alike_is_not_told_whole() {
    let index = Fixture::new();
    let documents: Vec<Document> =
        (0..200).map(|at| document(&format!("d{at}"), &format!("entry number {at}"))).collect();
    index.index.put(&documents).unwrap();
    // A model that finds everything 0.7 alike, and what is meant 0.9.
    fill(&index.index, MODEL, |id| {
        let cosine: f32 = if ["d7", "d70"].contains(&id) { 0.9 } else { 0.7 };
        Some(vec![cosine, (1.0 - cosine * cosine).sqrt()])
    });
    let hits = index.found("nothing of this", &meaning(&[1.0, 0.0]));
    let mut ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["d7", "d70"]);
}

#[test]
fn vectors_come_and_go_while_it_is_searched() {
    let index = Fixture::new();
    let east = meaning(&[1.0, 0.0]);
    for round in 0..40_u16 {
        let id = format!("d{round}");
        index.index.put(&[document(&id, &format!("text {round}"))]).unwrap();
        fill(&index.index, MODEL, |_| Some(vec![1.0, f32::from(round) / 100.0]));
        if round > 0 {
            index.index.remove(&[format!("d{}", round - 1)]).unwrap();
        }
        index.check_meaning("nothing", &east, &[&id]);
    }
}

#[test]
fn bytes_keep_what_vectors_say() {
    let mut seed = 1_u32;
    let mut vector = || {
        let mut number = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(seed >> 16).unwrap()) / 65_535.0 - 0.5
        };
        (0..384).map(|_| number()).collect::<Vec<f32>>()
    };
    for _ in 0..50 {
        let (a, b) = (vector(), vector());
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let exact = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
        let near = vectors::Vector::of(&a).unwrap().cosine(&vectors::Vector::of(&b).unwrap());
        assert!((exact - near).abs() < 0.005, "{exact} {near}");
    }
    assert!(vectors::Vector::of(&[0.0, 0.0]).is_none(), "it points nowhere");
}
