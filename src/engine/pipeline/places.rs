//! Which way a run went, told by what it recorded: for whoever wants it done again from some place on.

use std::collections::HashMap;

use serde_json::Value;

use super::name;
use crate::{
    defs::{Item, Pipeline, Work},
    tasks::StepRecord,
};

/// The places a run of `pipeline` came to, in order, the last of them perhaps not done: a step or a decision by its name,
/// or the members of a group.
pub(crate) fn places(pipeline: &Pipeline, done: &[StepRecord]) -> Vec<Vec<String>> {
    let done = done.iter().map(|done| (done.step.as_str(), &done.output)).collect();
    let mut walk = Walk { done, places: Vec::new() };
    let mut first = 0;
    for (place, item) in pipeline.items.iter().enumerate() {
        if walk.item(item, place, first).is_none() {
            break;
        }
        first += item.steps().count();
    }
    walk.places
}

struct Walk<'r> {
    done: HashMap<&'r str, &'r Value>,
    places: Vec<Vec<String>>,
}

/// `None` where the run has not come any further.
impl Walk<'_> {
    fn item(&mut self, item: &Item, place: usize, first: usize) -> Option<()> {
        match item {
            Item::Work(work) => self.works(std::slice::from_ref(work), first, None),
            Item::Condition(condition) => {
                if self.decision(format!("condition-{place}"))? {
                    self.works(&condition.then, first, None)
                } else {
                    let before: usize = condition.then.iter().map(|work| work.steps().len()).sum();
                    self.works(&condition.otherwise, first + before, None)
                }
            }
            Item::Loop(again) => {
                for round in 0..again.max_iterations {
                    self.works(&again.steps, first, Some(round))?;
                    if round + 1 == again.max_iterations || self.decision(format!("until-{place}@{round}"))? {
                        break;
                    }
                }
                Some(())
            }
        }
    }

    fn works(&mut self, works: &[Work], mut first: usize, round: Option<u32>) -> Option<()> {
        for work in works {
            let steps = (first..).zip(work.steps());
            let names: Vec<_> = steps.map(|(index, step)| name(step, index, round)).collect();
            let all_done = names.iter().all(|name| self.done.contains_key(name.as_str()));
            self.places.push(names);
            all_done.then_some(())?;
            first += work.steps().len();
        }
        Some(())
    }

    fn decision(&mut self, name: String) -> Option<bool> {
        let decided = self.done.get(name.as_str()).and_then(|output| output.as_bool());
        self.places.push(vec![name]);
        decided
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::defs::{Source, parse_pipeline};

    const ALL: &str = "steps:
  - {id: plan, employee: a}
  - condition:
      check: '{prev}'
      contains: x
      then: [{id: yes, employee: a}]
      else: [{id: no, employee: a}, {id: never, employee: a}]
  - loop:
      steps: [{id: try, employee: a}]
      until: {check: '{prev}', contains: y}
      max_iterations: 2
  - parallel: [{id: left, employee: a}, {employee: a}]
  - {id: last, employee: a}
";

    #[track_caller]
    fn check(done: &[(&str, Value)], expected: &str) {
        let pipeline = parse_pipeline(&Source::new("p.yaml", ALL), "p").0.unwrap();
        let record = |(step, output): &(&str, Value)| StepRecord {
            step: (*step).to_owned(),
            output: output.clone(),
            at: Timestamp::UNIX_EPOCH,
            duration_ms: 0,
        };
        let done: Vec<_> = done.iter().map(record).collect();
        let places: Vec<_> = places(&pipeline, &done).iter().map(|place| place.join("|")).collect();
        assert_eq!(places.join(" "), expected);
    }

    #[test]
    fn the_way_of_a_run_is_the_one_it_recorded() {
        let said = || json!({"output": ""});
        check(&[], "0:plan");
        check(&[("0:plan", said())], "0:plan condition-1");
        check(&[("0:plan", said()), ("condition-1", json!(false))], "0:plan condition-1 2:no");
        let mut done = vec![("0:plan", said()), ("condition-1", json!(true)), ("1:yes", said())];
        check(&done, "0:plan condition-1 1:yes 4:try@0");
        done.extend([("4:try@0", said()), ("until-2@0", json!(false)), ("4:try@1", said())]);
        check(&done, "0:plan condition-1 1:yes 4:try@0 until-2@0 4:try@1 5:left|6:a");
        // The members of a group end in any order.
        done.push(("6:a", said()));
        check(&done, "0:plan condition-1 1:yes 4:try@0 until-2@0 4:try@1 5:left|6:a");
        done.push(("5:left", said()));
        check(&done, "0:plan condition-1 1:yes 4:try@0 until-2@0 4:try@1 5:left|6:a 7:last");
    }
}
