//! What is counted: agreement, votes, ballots.

use serde_json::{Value, json};

use super::{ALL, execute, heard, model, plain, project, speech, turns};

/// All agree: each is asked again once, and what they owe stays on record.
#[tokio::test]
async fn agreement_without_end_is_measured_and_told() {
    let fake = model(|call| match (call.who.as_str(), call.round) {
        ("", _) => "PUT TOGETHER".to_owned(),
        (who, 2) => {
            let other = if who == "ann" { "bob" } else { "ann" };
            speech("I agree.", &json!({"agree": [{"with": other, "on": "all of it"}]}))
        }
        _ => plain(call),
    })
    .await;
    let project = project(
        "topic: tea\nrounds:\n  - {name: one}\n  - {name: two, min_disagreements: 1}\nparticipants:\n  - {employee: ann, \
         max_agree_ratio: 0.5, must_challenge: [cai]}\n  - {employee: bob}\n  - {employee: cai}\n",
    );
    let meeting = execute(&project, &fake, &[]);
    for who in ["ann", "bob", "cai"] {
        assert_eq!((heard(&fake, who, 1).len(), heard(&fake, who, 2).len()), (1, 2), "{who}");
    }
    assert!(heard(&fake, "ann", 2)[1].contains("max-agree-ratio"), "{:?}", heard(&fake, "ann", 2));
    let round = &meeting["measures"]["rounds"][1];
    assert_eq!((&round["agree_ratio"], &round["objections"]), (&json!(1.0), &json!(0)));
    let unmet: Vec<_> = round["members"].as_array().unwrap().iter().map(|m| m["unmet"].clone()).collect();
    assert_eq!(
        unmet,
        [
            json!(["min-disagreements", "must-challenge", "max-agree-ratio"]),
            json!(["min-disagreements"]),
            json!(["min-disagreements"])
        ]
    );
    for turn in turns(&meeting, 1) {
        assert_eq!(turn["earlier"]["ballot"]["agree"].as_array().unwrap().len(), 1, "{turn}");
        assert_eq!(turn["quotas"][0]["met"], false);
    }
}

#[tokio::test]
async fn a_vote_is_tallied_on_what_was_proposed() {
    let fake = model(|call| {
        let vote = |one: &str, two: &str| {
            let votes = json!({"votes": [{"option": "O1", "choice": one, "why": "so"}, {"option": "O2", "choice": two}]});
            speech("My vote.", &votes)
        };
        match (call.who.as_str(), call.round) {
            ("ann", 1) => speech("Ideas.", &json!({"proposals": ["Use tea", "Use coffee."]})),
            ("bob", 1) => speech("Ideas.", &json!({"proposals": ["use coffee", "USE TEA"]})),
            ("cai", 1) => speech("Ideas.", &json!({"proposals": ["Use tea.", "use coffee"]})),
            ("ann", 2) => vote("for", "for"),
            ("bob", 2) => vote("against", "for"),
            ("cai", 2) => vote("abstain", "against"),
            _ => plain(call),
        }
    })
    .await;
    let project = project(&format!(
        "topic: drinks\nrounds: [{{name: ideas, interaction: brainstorm}}, {{name: vote, interaction: vote}}]\n{ALL}"
    ));
    let meeting = execute(&project, &fake, &[]);
    let vote = &meeting["measures"]["votes"][0];
    let options: Vec<_> = vote["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| {
            (
                o["text"].as_str().unwrap(),
                o["outcome"].as_str().unwrap(),
                o["abstain"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(options, [("Use tea", "tied", 1), ("Use coffee.", "carried", 0)]);
    assert_eq!(vote["leading"], json!(["O2"]));
    assert_eq!(meeting["measures"]["minority"][0]["employee"], "cai");
    let text = project.run_in(&fake.env(), ["discuss", "run", "d", "--execute"]).success();
    assert!(text.contains("Use tea") && text.contains("tied") && text.contains("PUT TOGETHER"), "{text}");
}

#[tokio::test]
async fn a_ballot_that_cannot_be_used_is_asked_for_once_more() {
    let fake = model(|call| match (call.who.as_str(), call.message.contains("cannot be used")) {
        ("ann", false) => "I have no ballot.".to_owned(),
        ("ann", true) => json!({"claims": ["late"]}).to_string(),
        ("bob", false) => speech("To nobody.", &json!({"agree": [{"with": "dan", "on": "x"}]})),
        ("bob", true) => "I will not.".to_owned(),
        _ => plain(call),
    })
    .await;
    let project = project(&format!("topic: tea\nrounds: [{{name: one}}]\n{ALL}"));
    let meeting = execute(&project, &fake, &[]);
    let [ann, bob, cai] = turns(&meeting, 0).try_into().unwrap();
    assert_eq!((&ann["text"], &ann["ballot"]["claims"]), (&json!("I have no ballot."), &json!(["late"])));
    assert_eq!((&bob["text"], &bob["ballot"]), (&json!("To nobody."), &Value::Null));
    assert!(bob["ballot_fault"].as_str().unwrap().contains("no block of JSON"), "{bob}");
    assert_eq!(
        (&ann["cost"]["calls"], &bob["cost"]["calls"], &cai["cost"]["calls"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert!(heard(&fake, "bob", 1)[1].contains("nobody called `dan` takes part; there is `ann`, `cai`"));
}
