//! C2.9, 7 to 9, 26 and 27: what of a memory is told. Vectors of two models (7) and embedders that are slow (8) are tried in
//! `meaning`. Marks for the quality of what is remembered (27) are not given here.

use super::with_worker;
use crate::memory::add;

/// C2.9.9 and 26: however long a prompt is, what it is about is told first, with its kind, and what it is not about does not
/// come in its place.
#[test]
fn c2_09_what_the_work_is_about_is_told_first() {
    let project = with_worker("args: [{name: target}]\n", "Look at $target.");
    add(&project, "worker", "the ledger migration was rolled back twice", &[]);
    for number in 0..20 {
        add(&project, "worker", &format!("lunch on day {number} was soup number {number}"), &[]);
    }
    let told = |target: &str| -> Vec<String> {
        let prompt = project.run(["run", "worker", target]).success();
        prompt.lines().filter(|line| line.starts_with("- [finding]")).map(str::to_owned).collect()
    };
    let long = format!("the plan to repeat the ledger migration. {}", "It has many chapters. ".repeat(500));
    for target in ["the ledger migration", &long] {
        let lines = told(target);
        assert!(lines[0].contains("rolled back twice"), "{target:.60}: {lines:?}");
        assert!(lines.len() <= 10, "{lines:?}");
    }
    // What is neither new nor about the work stays where it is.
    assert!(told("the login page").iter().all(|line| !line.contains("ledger")));
}
