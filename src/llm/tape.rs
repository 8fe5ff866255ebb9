//! What was asked of models and tools and what they gave, recorded, and played back with the network off.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use similar::TextDiff;

use super::{Error, Message, Reply, Request};
use crate::base::Secret;

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The employee that asked.
    pub who: String,
    /// What it asked, in no provider's dialect. Where and with which key is not part of it.
    pub asked: Value,
    /// What it was given.
    pub given: Value,
}

/// What differs between a recording and a run that was played from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Difference {
    /// Something else was asked than was recorded.
    Changed {
        /// The employee that asked.
        who: String,
        /// What is recorded.
        recorded: Value,
        /// What was asked.
        asked: Value,
    },
    /// Something was asked that is not recorded, or more often than it is.
    Missing {
        /// The employee that asked.
        who: String,
        /// What was asked.
        asked: Value,
    },
    /// Something is recorded that was not asked.
    Unused {
        /// The employee that asked it then.
        who: String,
        /// What is recorded.
        recorded: Value,
    },
}

/// Records exchanges, or plays them back. Clones are the same tape.
#[derive(Debug, Clone)]
pub struct Tape(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plays: bool,
    /// Texts that are never recorded, and what stands for them.
    masks: Mutex<Vec<(Secret, String)>>,
    reel: Mutex<Reel>,
}

#[derive(Debug, Default)]
struct Reel {
    slots: Vec<Slot>,
    missing: Vec<(String, Value)>,
}

/// A recorded exchange, and whether it was used.
#[derive(Debug)]
struct Slot {
    exchange: Exchange,
    is_used: bool,
    /// What was asked in its place.
    asked: Option<Value>,
}

impl Slot {
    fn new(exchange: Exchange) -> Self {
        Self { exchange, is_used: false, asked: None }
    }
}

impl Tape {
    /// An empty one that records.
    pub fn recording() -> Self {
        Self::new(false, Vec::new())
    }

    /// One that plays these exchanges: nothing is sent any more.
    pub fn playing(exchanges: Vec<Exchange>) -> Self {
        Self::new(true, exchanges)
    }

    fn new(plays: bool, exchanges: Vec<Exchange>) -> Self {
        let reel = Reel { slots: exchanges.into_iter().map(Slot::new).collect(), missing: Vec::new() };
        Self(Arc::new(Inner { plays, masks: Mutex::default(), reel: Mutex::new(reel) }))
    }

    /// Whether it plays.
    pub fn plays(&self) -> bool {
        self.0.plays
    }

    /// Never records `text`, but `instead`. The same is done to what is compared with a recording.
    pub fn mask(&self, text: &Secret, instead: &str) {
        let mut masks = self.0.masks.lock();
        if masks.iter().any(|(known, _)| known.expose() == text.expose()) {
            return;
        }
        masks.push((text.clone(), instead.to_owned()));
        // One may be part of another.
        masks.sort_by_key(|(text, _)| std::cmp::Reverse(text.expose().len()));
    }

    fn masked(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (secret, instead) in self.0.masks.lock().iter() {
                    if text.contains(secret.expose()) {
                        *text = text.replace(secret.expose(), instead);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.masked(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.masked(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Records what `who` was given.
    pub fn record(&self, who: &str, mut asked: Value, mut given: Value) {
        self.masked(&mut asked);
        self.masked(&mut given);
        self.0.reel.lock().slots.push(Slot::new(Exchange { who: who.to_owned(), asked, given }));
    }

    /// What `who` was given when it asked this. When it asked something else then, what is recorded of the question that is
    /// most like it, so that what follows can be compared, too; the difference is noted.
    pub fn play(&self, who: &str, mut asked: Value) -> Option<Value> {
        self.masked(&mut asked);
        let mut reel = self.0.reel.lock();
        let same = |slot: &&mut Slot| slot.exchange.who == who && slot.exchange.asked == asked;
        if let Some(slot) = reel.slots.iter_mut().filter(|slot| !slot.is_used).find(same) {
            slot.is_used = true;
            return Some(slot.exchange.given.clone());
        }
        let repeated = reel.slots.iter_mut().find(same).map(|slot| slot.exchange.given.clone());
        if repeated.is_none() {
            let text = pretty(&asked);
            let free = reel.slots.iter_mut().filter(|slot| {
                let is_free = !slot.is_used && slot.asked.is_none();
                is_free && slot.exchange.who == who && kind(&slot.exchange.asked) == kind(&asked)
            });
            let likeness = |slot: &Slot| TextDiff::from_lines(&pretty(&slot.exchange.asked), &text).ratio();
            if let Some((_, slot)) =
                free.map(|slot| (likeness(slot), slot)).max_by(|(one, _), (other, _)| one.total_cmp(other))
            {
                slot.asked = Some(asked);
                return Some(slot.exchange.given.clone());
            }
        }
        reel.missing.push((who.to_owned(), asked));
        repeated
    }

    /// What is on it, in an order that does not depend on who was faster.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut exchanges: Vec<_> =
            self.0.reel.lock().slots.iter().map(|slot| slot.exchange.clone()).collect();
        sort(&mut exchanges);
        exchanges
    }

    /// What is to be on it when all differences are meant: the answers as they were, to what is asked now.
    pub fn accepted(&self) -> Vec<Exchange> {
        let reel = self.0.reel.lock();
        let kept = reel.slots.iter().filter_map(|slot| match (&slot.asked, slot.is_used) {
            (_, true) => Some(slot.exchange.clone()),
            (Some(asked), false) => Some(Exchange { asked: asked.clone(), ..slot.exchange.clone() }),
            (None, false) => None,
        });
        let mut kept: Vec<_> = kept.collect();
        sort(&mut kept);
        kept
    }

    /// How the run that was played differs from what is recorded.
    pub fn differences(&self) -> Vec<Difference> {
        let reel = self.0.reel.lock();
        let of_slot = |slot: &Slot| {
            let Exchange { who, asked: recorded, .. } = slot.exchange.clone();
            match (&slot.asked, slot.is_used) {
                (Some(asked), _) => Some(Difference::Changed { who, recorded, asked: asked.clone() }),
                (None, false) => Some(Difference::Unused { who, recorded }),
                (None, true) => None,
            }
        };
        let missing = reel
            .missing
            .iter()
            .map(|(who, asked)| Difference::Missing { who: who.clone(), asked: asked.clone() });
        let mut all: Vec<_> = reel.slots.iter().filter_map(of_slot).chain(missing).collect();
        all.sort_by_cached_key(|difference| serde_json::to_string(difference).unwrap_or_default());
        all
    }

    /// Records how a call of a model ended.
    pub(super) fn record_call(&self, request: &Request, outcome: &Result<Reply, Error>) {
        let given = match outcome {
            Ok(reply) => json!({"reply": reply}),
            Err(error) => json!({"error": error.to_string()}),
        };
        self.record(&request.account, asked(request), given);
    }

    /// What the model answered when it was asked this.
    ///
    /// # Errors
    /// What it failed with then; [`Error::Unrecorded`] when nobody knows.
    pub(super) fn play_call(&self, request: &Request) -> Result<Reply, Error> {
        let unrecorded = || Error::Unrecorded { who: request.account.clone() };
        let given = self.play(&request.account, asked(request)).ok_or_else(unrecorded)?;
        if let Some(error) = given.get("error").and_then(Value::as_str) {
            return Err(Error::Recorded { message: error.to_owned() });
        }
        let reply = given.get("reply").map(Reply::deserialize);
        reply.and_then(Result::ok).ok_or_else(unrecorded)
    }
}

/// What is asked of a model. What it thought is left out: it is somebody else's, and means nothing to a reader.
fn asked(request: &Request) -> Value {
    let message = |message: &Message| {
        let mut message = json!(message);
        if let Some(Value::Object(said)) = message.get_mut("said") {
            said.remove("thoughts");
        }
        message
    };
    let tools = request.tools.iter().map(|tool| {
        let schema: Value = serde_json::from_str(tool.schema.get()).unwrap_or_default();
        json!({"name": tool.name, "description": tool.description, "schema": schema})
    });
    let mut asked = json!({
        "model": request.model.model,
        "system": request.system,
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature.map(|value| value.to_string()),
        "thinking": request.thinking,
    });
    if let Value::Object(fields) = &mut asked {
        fields.retain(|_, value| !value.is_null() && *value != json!([]));
    }
    asked
}

/// What a question must have in common with another to stand for it: the tool that is asked, or the turn of the
/// conversation with a model.
fn kind(asked: &Value) -> (Option<&str>, usize) {
    (asked.get("tool").and_then(Value::as_str), turns(asked))
}

/// How long the conversation is.
fn turns(asked: &Value) -> usize {
    asked.get("messages").and_then(Value::as_array).map_or(0, Vec::len)
}

/// For comparing: line by line, within texts, too.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default().replace("\\n", "\n")
}

/// By who asks, then in the order of a conversation.
fn sort(exchanges: &mut [Exchange]) {
    exchanges.sort_by_cached_key(|exchange| {
        (exchange.who.clone(), turns(&exchange.asked), exchange.asked.to_string(), exchange.given.to_string())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        json!({"system": text})
    }

    fn exchange(asked: &str, given: &str) -> Exchange {
        Exchange { who: "a".to_owned(), asked: text(asked), given: json!(given) }
    }

    #[test]
    fn what_is_asked_again_is_answered_in_any_order() {
        let tape = Tape::playing(vec![exchange("one", "1"), exchange("two", "2"), exchange("two", "3")]);
        let played: Vec<_> = ["two", "one", "two"].map(|asked| tape.play("a", text(asked)).unwrap()).into();
        assert_eq!(played, [json!("2"), json!("1"), json!("3")]);
        assert_eq!(tape.differences(), []);
    }

    #[test]
    fn what_changed_is_told_and_answered_by_what_is_most_like_it() {
        let tape = Tape::playing(vec![exchange("审查\n代码", "1"), exchange("something else", "2")]);
        assert_eq!(tape.play("a", text("审查\n全部代码")), Some(json!("1")));
        assert_eq!(tape.play("b", text("审查\n代码")), None, "another asks");
        let differences = tape.differences();
        assert!(
            matches!(
                differences.as_slice(),
                [Difference::Changed { .. }, Difference::Missing { .. }, Difference::Unused { .. }]
            ),
            "{differences:?}"
        );
        assert_eq!(tape.accepted(), [exchange("审查\n全部代码", "1")]);
        assert_eq!(tape.play("a", text("审查\n代码")), Some(json!("1")), "whoever asks the same goes first");
    }

    #[test]
    fn secrets_are_nowhere_on_it() {
        let tape = Tape::recording();
        tape.mask(&Secret::new("sk-secret-1").unwrap(), "***");
        tape.mask(&Secret::new("sk-secret-12").unwrap(), "***");
        tape.record(
            "a",
            json!({"messages": [{"said": "key sk-secret-12!"}]}),
            json!({"text": "sk-secret-1"}),
        );
        let recorded = serde_json::to_string(&tape.exchanges()).unwrap();
        assert!(!recorded.contains("sk-secret") && recorded.contains("key ***!"), "{recorded}");
    }
}
